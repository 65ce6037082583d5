#include "machine/port_holder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace tw {
namespace {

namespace fs = std::filesystem;

// Columns of /proc/net/tcp and its like (proc_net_tcp.txt), and the state of a listener.
constexpr std::size_t local_at = 1, state_at = 3, uid_at = 7, inode_at = 9;
constexpr std::string_view listening = "0A";

template <typename Number>
bool read_number(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string read_file(const fs::path& path) {
  std::ifstream stream{path};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

bool has_open(const fs::path& process, const std::string& socket) {
  std::error_code error;
  for (fs::directory_iterator file{process / "fd", error}, end; !error && file != end;
       file.increment(error)) {
    std::error_code ignored;
    if (fs::read_symlink(file->path(), ignored) == socket) return true;
  }
  return false;
}

void name_process(PortHolder& holder) {
  const std::string socket = fmt::format("socket:[{}]", holder.inode);
  std::error_code error;
  for (fs::directory_iterator entry{"/proc", error}, end; !error && entry != end;
       entry.increment(error)) {
    int pid = 0;
    if (!read_number(entry->path().filename().native(), pid)) continue;
    if (!has_open(entry->path(), socket)) continue;
    holder.pid = pid;
    holder.program = read_file(entry->path() / "comm");
    std::erase_if(holder.program, [](unsigned char byte) { return byte < ' ' || byte == 0x7f; });
    return;
  }
}

}  // namespace

std::string PortHolder::text() const {
  if (pid == 0) return fmt::format("a program of user {}", uid);
  return fmt::format("{} (pid {}, uid {})", program, pid, uid);
}

std::optional<PortHolder> find_port(std::string_view table, Transport transport,
                                    std::uint16_t port) {
  std::istringstream lines{std::string{table}};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream text{line};
    const std::vector<std::string> words{std::istream_iterator<std::string>{text}, {}};
    if (words.size() <= inode_at) continue;
    const std::size_t colon = words[local_at].rfind(':');
    std::uint16_t found = 0;
    PortHolder holder;
    if (colon == std::string::npos ||
        !read_number(std::string_view{words[local_at]}.substr(colon + 1), found, 16) ||
        !read_number(words[uid_at], holder.uid) || !read_number(words[inode_at], holder.inode)) {
      continue;
    }
    if (found != port || (transport == Transport::tcp && words[state_at] != listening)) continue;
    return holder;
  }
  return std::nullopt;
}

std::optional<PortHolder> holder_of(Transport transport, std::uint16_t port) {
  const std::string name = transport == Transport::tcp ? "tcp" : "udp";
  for (const char* family : {"", "6"}) {
    // The thread's own, whose network namespace may be another than the process's first thread's.
    auto holder = find_port(read_file("/proc/thread-self/net/" + name + family), transport, port);
    if (!holder || has_open("/proc/self", fmt::format("socket:[{}]", holder->inode))) continue;
    name_process(*holder);
    return holder;
  }
  return std::nullopt;
}

}  // namespace tw
