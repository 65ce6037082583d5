// link: tw_node
// covers: node/control/control_*.cc node/config/config_setting.cc
//
// Lines of the control socket, through a socket, in pieces of a size
// that the first byte chooses. What is understood means the same when it is written again; what is
// not, and each setting that a running node refuses, is answered with a sentence in one line of
// JSON; and each line that ends has one answer, in order.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "fuzz_folder.h"
#include "node/config/config_setting.h"
#include "node/control/control_request.h"
#include "node/control/control_server.h"

namespace {

using namespace tw::node;  // NOLINT(google-build-using-namespace)
using Command = ControlRequest::Command;

constexpr std::size_t longest_input = 8192;

/// RFC 8259: a string, each character that has to be escaped (and no other) by its number.
std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    if (static_cast<unsigned char>(byte) >= 0x20 && byte != '"' && byte != '\\') {
      out += byte;
      continue;
    }
    constexpr std::string_view figures = "0123456789abcdef";
    out += "\\u00";
    out += figures[static_cast<unsigned char>(byte) / 16];
    out += figures[static_cast<unsigned char>(byte) % 16];
  }
  return out + '"';
}

std::string written(const ControlRequest& request) {
  constexpr std::array words{"status", "reload", "set", "drain", "identify"};
  return "{\"command\":" + json_string(words[static_cast<std::size_t>(request.command)]) +
         ",\"key\":" + json_string(request.key) + ",\"value\":" + json_string(request.value) +
         ",\"dry_run\":" + (request.dry_run ? "true}" : "false}");
}

/// Returns true if it is {"ok":true}, or {"error":"…"} with a string that ends where it says.
bool is_answer(std::string_view line) {
  if (line == R"({"ok":true})") return true;
  constexpr std::string_view begin = R"({"error":")", end = R"("})";
  if (!line.starts_with(begin) || !line.ends_with(end)) return false;
  line.remove_prefix(begin.size());
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (static_cast<unsigned char>(line[at]) < 0x20) return false;
    if (line[at] == '"') return line.substr(at) == end;
    if (line[at] == '\\') ++at;
  }
  return false;
}

void expect_sentence(std::string_view text) {
  TW_ASSERT(!text.empty() && text.find('\n') == std::string_view::npos);
}

NodeConfig with_relay() {
  NodeConfig config;
  config.relay.enabled = true;
  return config;
}

// A setting is refused with a sentence, or taken; and taken again it says the same.
std::string answer_to_setting(const ControlRequest& request) {
  static const NodeConfig before = with_relay();
  const auto after = with_setting(before, request.key, request.value);
  if (!after) {
    expect_sentence(after.error().what);
    return control_error(after.error().text());
  }
  TW_ASSERT(with_setting(*after, request.key, request.value));
  return R"({"ok":true})";
}

std::string answer(std::string_view line) {
  const auto request = ControlRequest::parse(line);
  if (!request) {
    expect_sentence(request.error());
    return control_error(request.error());
  }
  TW_ASSERT(ControlRequest::parse(written(*request)) == *request);
  if (request->command != Command::set) return R"({"ok":true})";
  return answer_to_setting(*request);
}

/// A server, and what it was asked since the last look.
struct Served {
  tw::testing::FuzzFolder folder;
  std::string path = folder.path() + "/node.sock";
  std::vector<std::string> asked;
  tw::ManualClock clock;
  std::unique_ptr<ControlServer> server = *ControlServer::listen(path, clock, [this](auto line) {
    asked.emplace_back(line);
    return answer(line);
  });
};

tw::UniqueFd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  tw::UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  TW_ASSERT(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

std::string received(int fd) {
  std::string all;
  std::array<char, 4096> bytes;
  for (ssize_t got; (got = ::recv(fd, bytes.data(), bytes.size(), 0)) > 0;) {
    all.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return all;
}

void check_answers(std::string_view answers, std::size_t asked) {
  std::size_t count = 0;
  for (; !answers.empty(); ++count) {
    const std::string_view line = answers.substr(0, answers.find('\n'));
    TW_ASSERT(line.size() < answers.size() && is_answer(line));
    answers.remove_prefix(line.size() + 1);
  }
  TW_ASSERT(count == asked);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static Served served;
  if (size == 0 || size > longest_input) return 0;
  const std::size_t piece = bytes[0] * std::size_t{8} + 1;
  const std::string_view text{reinterpret_cast<const char*>(bytes + 1), size - 1};
  served.asked.clear();
  const tw::UniqueFd client = connect_to(served.path);
  served.server->handle();
  std::string answers;
  bool hung_up = false;
  for (std::size_t at = 0; at < text.size() && !hung_up; at += piece) {
    const std::string_view part = text.substr(at, piece);
    hung_up = ::send(client.get(), part.data(), part.size(), MSG_NOSIGNAL) < 0;
    // Each call reads a part of what has come, or answers one line: two reads have all of it.
    for (int idle = 0; idle < 3;) {
      const std::size_t before = served.asked.size();
      served.server->handle();
      answers += received(client.get());
      idle = served.asked.size() > before ? 0 : idle + 1;
    }
  }
  check_answers(answers, served.asked.size());
  // The lines that end, until one was too long.
  std::string_view rest = text;
  for (const std::string& line : served.asked) {
    TW_ASSERT(rest.starts_with(line) && rest.substr(line.size()).starts_with('\n'));
    rest.remove_prefix(line.size() + 1);
  }
  const std::size_t unfinished = std::min(rest.find('\n'), rest.size());
  TW_ASSERT(unfinished == rest.size() || unfinished > ControlServer::max_request_bytes);
  TW_ASSERT(!hung_up || rest.size() > ControlServer::max_request_bytes);
  ::shutdown(client.get(), SHUT_RDWR);
  served.server->handle();
  return 0;
}
