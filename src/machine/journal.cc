#include "machine/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <ranges>
#include <system_error>
#include <utility>

#include "machine/firewall/firewall.h"

namespace tw {
namespace {

// A journal holds a handful of lines; a file beyond this is not one of ours.
constexpr std::size_t longest_journal_bytes = 1U << 20U;
// No journal comes that far: a line with a number beyond it is damaged.
constexpr std::uint64_t largest_id = UINT64_MAX / 2;
// The number of times that another node may remove the file between our opening and locking it.
constexpr int open_attempts = 16;

// Somebody else who can write here could make us undo what we never did.
Result<void> make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error("create the directory " + directory);
  }
  struct stat status{};
  if (::lstat(directory.c_str(), &status) != 0) return system_error("look at " + directory);
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) {
    return make_error(Error::Kind::config,
                      fmt::format("{} must be a directory of ours that nobody else may write to: "
                                  "remove it, or chmod 700 it",
                                  directory));
  }
  return {};
}

// False: the file was removed between opening and locking; try again.
Result<bool> lock(int file, const std::string& path, const std::string& device) {
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("lock " + path);
    return make_error(Error::Kind::unavailable,
                      fmt::format("another thalweg is running on {} in this network namespace "
                                  "(it holds {})",
                                  device, path));
  }
  struct stat opened{}, present{};
  if (::fstat(file, &opened) != 0) return system_error("look at " + path);
  if (::lstat(path.c_str(), &present) != 0) return false;
  return opened.st_ino == present.st_ino && opened.st_dev == present.st_dev;
}

Result<std::string> read_all(int file, const std::string& path) {
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() < longest_journal_bytes) {
    const ssize_t size =
        ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (size < 0) return system_error("read " + path);
    if (size == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return make_error(Error::Kind::config,
                    fmt::format("{} is too large to be a journal: look at it and remove it", path));
}

constexpr std::string_view journal_suffix = ".journal";

// Returns the journals of this network namespace, whoever holds them.
std::vector<std::string> journals_here(const std::string& directory) {
  std::vector<std::string> paths;
  const auto cookie = namespace_cookie();
  if (!cookie) return paths;
  const std::string ending = fmt::format(".{}{}", *cookie, journal_suffix);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().filename().string().ends_with(ending)) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

}  // namespace

Result<std::uint64_t> namespace_cookie() {
  const UniqueFd probe{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!probe) return system_error("ask for the network namespace: socket");
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(probe.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0) {
    return system_error("ask for the network namespace (Linux 5.14 or later is needed)");
  }
  return cookie;
}

Result<void> undo(const Change& change, Netlink& netlink) {
  if (const auto* rule = std::get_if<RuleSpec>(&change)) return netlink.routes.remove_rule(*rule);
  if (const auto* route = std::get_if<RouteSpec>(&change))
    return netlink.routes.remove_route(*route);
  if (const auto* table = std::get_if<TableChange>(&change)) {
    return Firewall::remove_floor(table->table);
  }
  return undo(std::get<SysctlChange>(change));
}

Journal::Journal(std::string path, UniqueFd file) noexcept
    : path_(std::move(path)),
      directory_(path_.substr(0, path_.rfind('/'))),
      file_(std::move(file)) {}

Journal::~Journal() {
  if (!file_ || !entries_.empty()) return;
  // Still locked: nobody else can be using the file. The directory stays: a node that starts now
  // may have been confined to it, and could not make another.
  ::unlink(path_.c_str());
}

Result<Journal> Journal::open(const std::string& directory, const std::string& device) {
  auto cookie = namespace_cookie();
  if (!cookie) return std::unexpected(cookie.error());
  if (device.empty() || device.find('/') != std::string::npos) {
    return make_error(Error::Kind::config, fmt::format("\"{}\" is no device name", device));
  }
  const std::string path = fmt::format("{}/{}.{}.journal", directory, device, *cookie);
  for (int attempt = 0; attempt < open_attempts; ++attempt) {
    if (auto made = make_directory(directory); !made) return std::unexpected(made.error());
    UniqueFd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file) {
      if (errno == ENOENT) continue;  // the last user has just removed the directory
      return system_error("open " + path);
    }
    auto locked = lock(file.get(), path, device);
    if (!locked) return std::unexpected(locked.error());
    if (!*locked) continue;
    Journal journal(path, std::move(file));
    auto text = read_all(journal.file_.get(), path);
    if (!text) {
      journal.file_.reset();  // not ours to remove
      return std::unexpected(text.error());
    }
    journal.read_lines(*text);
    return journal;
  }
  return make_error(Error::Kind::unavailable, fmt::format("open {}: it kept vanishing", path));
}

void Journal::read_lines(std::string_view text) {
  const std::size_t end = text.rfind('\n');
  text = text.substr(0, end == std::string_view::npos ? 0 : end + 1);
  length_ = text.size();
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    const bool made = line.starts_with("+\t");
    std::uint64_t id = 0;
    const char* const end_of_line = line.data() + line.size();
    const char* start = line.size() > 2 ? line.data() + 2 : end_of_line;
    const auto [stop, error] = std::from_chars(start, end_of_line, id);
    // Nothing follows a number but the change that was made.
    const bool is_whole = made ? stop != end_of_line && *stop == '\t' : stop == end_of_line;
    if ((!made && !line.starts_with("-\t")) || error != std::errc{} || !is_whole || id == 0 ||
        id > largest_id) {
      ++damaged_lines_;
      continue;
    }
    next_id_ = std::max(next_id_, id + 1);
    line.remove_prefix(static_cast<std::size_t>(stop - line.data()));
    if (!made) {
      std::erase_if(entries_, [id](const Entry& entry) { return entry.id == id; });
      continue;
    }
    line.remove_prefix(1);
    if (auto change = change_from_line(line)) {
      entries_.push_back({id, std::move(*change)});
    } else {
      ++damaged_lines_;
    }
  }
}

Result<void> Journal::append(const std::string& line) {
  const std::string whole = line + "\n";
  const ssize_t written =
      ::pwrite(file_.get(), whole.data(), whole.size(), static_cast<off_t>(length_));
  const int write_errno = written < 0 ? errno : ENOSPC;
  if (written != static_cast<ssize_t>(whole.size()) || ::fdatasync(file_.get()) != 0) {
    const int failed = written == static_cast<ssize_t>(whole.size()) ? errno : write_errno;
    // Without its newline the half line means nothing, cut off or not.
    if (::ftruncate(file_.get(), static_cast<off_t>(length_)) != 0) errno = 0;
    return system_error(failed, "write " + path_);
  }
  length_ += whole.size();
  // The rest of a longer, unfinished line of the last run must not become part of the next.
  if (::ftruncate(file_.get(), static_cast<off_t>(length_)) != 0) {
    return system_error("write " + path_);
  }
  return {};
}

Result<std::uint64_t> Journal::record(const Change& change) {
  const std::uint64_t id = next_id_;
  if (id > largest_id) {
    return make_error(Error::Kind::config,
                      fmt::format("{} is damaged, no number is left for another line: look at it, "
                                  "undo what it says, and remove it",
                                  path_));
  }
  auto appended = append(fmt::format("+\t{}\t{}", id, to_line(change)));
  if (!appended) return std::unexpected(appended.error());
  ++next_id_;
  entries_.push_back({id, change});
  return id;
}

Result<void> Journal::strike(std::uint64_t id) {
  if (std::erase_if(entries_, [id](const Entry& entry) { return entry.id == id; }) == 0) return {};
  return append(fmt::format("-\t{}", id));
}

// Waits: others hold it for the time of a few system calls.
UniqueFd Journal::hold_settings() const {
  UniqueFd folder{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder) static_cast<void>(::flock(folder.get(), LOCK_EX));
  return folder;
}

Result<void> Journal::undo_entry(const Entry& entry, Netlink& netlink) {
  const Change change = entry.change;
  const std::uint64_t id = entry.id;
  if (const auto* sysctl = std::get_if<SysctlChange>(&change)) {
    // Nobody may come or go between the look at the others and what it leads to.
    const UniqueFd held = hold_settings();
    const auto others = settings_of_others();
    const bool needed = std::ranges::any_of(others, [&](const SysctlChange& other) {
      return other.key == sysctl->key && other.value == sysctl->value;
    });
    if (!needed) {
      if (auto undone = undo(*sysctl); !undone) return undone;
    }
    return strike(id);
  }
  if (auto undone = undo(change, netlink); !undone) return undone;
  return strike(id);
}

Result<void> Journal::undo_all(Netlink& netlink) {
  Result<void> first;
  const std::vector<Entry> standing = entries_;
  for (const Entry& entry : std::views::reverse(standing)) {
    auto undone = undo_entry(entry, netlink);
    if (!undone && first) first = undone;
  }
  return first;
}

Result<void> Journal::undo_all_but_tables(Netlink& netlink) {
  const std::vector<Entry> standing = entries_;
  for (const Entry& entry : std::views::reverse(standing)) {
    if (std::holds_alternative<TableChange>(entry.change)) continue;
    if (auto undone = undo_entry(entry, netlink); !undone) return undone;
  }
  return {};
}

Result<SysctlChange> Journal::plan_shared(const std::string& key, std::string_view value) const {
  auto change = plan_sysctl(key, value);
  if (!change || change->old_value != change->value) return change;
  for (const SysctlChange& other : settings_of_others()) {
    if (other.key == key && other.value == value) return other;
  }
  return change;
}

std::vector<Journal::Entry> Journal::entries_of(std::string_view text) {
  Journal read({}, UniqueFd{});
  read.read_lines(text);
  return read.entries_;
}

std::vector<SysctlChange> Journal::settings_of_others() const {
  std::vector<SysctlChange> settings;
  for (const std::string& path : journals_here(directory_)) {
    if (path == path_) continue;
    const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file) continue;
    const auto text = read_all(file.get(), path);
    if (!text) continue;
    for (const Entry& entry : entries_of(*text)) {
      if (const auto* sysctl = std::get_if<SysctlChange>(&entry.change)) {
        settings.push_back(*sysctl);
      }
    }
  }
  return settings;
}

std::vector<Leftovers> find_leftovers(const std::string& directory) {
  std::vector<Leftovers> all;
  for (const std::string& path : journals_here(directory)) {
    const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    // A living node holds the lock; a tunnel of `wg up` has nobody who could, but its device.
    if (!file || ::flock(file.get(), LOCK_SH | LOCK_NB) != 0) continue;
    std::string name = std::filesystem::path{path}.filename();
    name.resize(name.size() - journal_suffix.size());
    name.resize(std::min(name.rfind('.'), name.size()));
    if (::if_nametoindex(name.c_str()) != 0) continue;
    const auto text = read_all(file.get(), path);
    Leftovers left{std::move(name), {}};
    for (const Journal::Entry& entry : Journal::entries_of(text.value_or(""))) {
      left.changes.push_back(entry.change);
    }
    if (!left.changes.empty()) all.push_back(std::move(left));
  }
  return all;
}

Result<std::vector<Leftovers>> remove_leftovers(const std::string& directory) {
  auto all = find_leftovers(directory);
  auto netlink = Netlink::open();
  if (!netlink) return std::unexpected(netlink.error());
  for (const Leftovers& left : all) {
    auto journal = Journal::open(directory, left.device);
    if (!journal) return std::unexpected(journal.error());
    auto undone = journal->undo_all(*netlink);
    if (!undone) return in_context("undo what " + left.device + " has left", undone.error());
  }
  return all;
}

}  // namespace tw
