#include "node/clients/file_changes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/file/new_file.h"
#include "node/config/config_file.h"

namespace tw::node {
namespace {

Result<void> unlink_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return system_error("remove " + path);
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
  if (auto made = make_file(path, text); !made) return made;
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
