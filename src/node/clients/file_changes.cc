#include "node/clients/file_changes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/file/new_file.h"
#include "base/unique_fd.h"
#include "node/config/config_file.h"

namespace tw::node {
namespace {

Result<void> unlink_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return system_error("remove " + path);
  return {};
}

/// Moves a file to a name that nothing has.
Result<void> move_file(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    return system_error("give " + from + " the name " + to);
  }
  return {};
}

/// The text and the mode of a regular file.
struct Contents {
  std::string text;
  mode_t mode = private_mode;
};
Result<Contents> contents_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return system_error("read " + path);
  auto text = read_included_file(path);
  if (!text) return make_error(Error::Kind::config, text.error().text());
  return Contents{.text = *std::move(text), .mode = status.st_mode & 07777U};
}

}  // namespace

FileChanges::~FileChanges() { static_cast<void>(undo()); }

Result<void> FileChanges::make(const std::string& path, std::string_view text) {
  // Hidden until it is whole: a reload may come at any time, and takes no file with such a name.
  const std::size_t slash = path.rfind('/') + 1;  // 0 without one
  const std::string fresh = path.substr(0, slash) + '.' + path.substr(slash) + ".new";
  ::unlink(fresh.c_str());
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd file{::open(fresh.c_str(), flags, private_mode)};
  if (!file) return system_error("make " + path);
  Result<void> made = write_whole(file.get(), text, path);
  if (made && ::fsync(file.get()) != 0) made = system_error("write " + path);
  if (made) made = move_file(fresh, path);
  if (!made) {
    ::unlink(fresh.c_str());
    return made;
  }
  undo_.emplace_back([path] { return unlink_file(path); });
  return {};
}

Result<void> FileChanges::remove(const std::string& path) {
  auto old = contents_of(path);
  if (!old) return std::unexpected(old.error());
  if (auto gone = unlink_file(path); !gone) return gone;
  undo_.emplace_back(
      [path, old = *std::move(old)] { return replace_file(path, old.text, old.mode); });
  return {};
}

Result<void> FileChanges::rename(const std::string& from, const std::string& to,
                                 const std::string& text) {
  auto old = contents_of(from);
  if (!old) return std::unexpected(old.error());
  if (from != to) {
    if (auto moved = move_file(from, to); !moved) return moved;
    undo_.emplace_back([from, to] { return move_file(to, from); });
  }
  if (auto written = replace_file(to, text, old->mode); !written) return written;
  undo_.emplace_back([to, old = *std::move(old)] { return replace_file(to, old.text, old.mode); });
  return {};
}

std::vector<std::string> FileChanges::undo() {
  std::vector<std::string> failed;
  for (auto steps = std::exchange(undo_, {}); !steps.empty(); steps.pop_back()) {
    if (const Result<void> done = steps.back()(); !done) failed.push_back(done.error().text());
  }
  return failed;
}

}  // namespace tw::node
