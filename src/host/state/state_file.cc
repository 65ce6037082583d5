#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file/new_file.h"
#include "host/state/saved_state.h"

namespace tw::host {
namespace {

constexpr off_t longest_file = 16 << 20;  // bytes; ours have 100 a setting

Result<SavedState> load_file(const std::string& path) {
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file && errno == ENOENT) return SavedState{};
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return system_error("read " + path);
  if (!S_ISREG(status.st_mode) || status.st_size > longest_file) {
    return make_error(Error::Kind::config, path + " is not what Thalweg has written");
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return system_error("read " + path);
  text.resize(static_cast<std::size_t>(size));
  auto state = state_of(text);
  if (!state) {
    return in_context(path +
                          " is damaged, and tells no more what was set (set it back by hand, "
                          "then remove the file)",
                      state.error());
  }
  const auto boot = boot_id();
  if (!boot) return std::unexpected(boot.error());
  if (state->boot != *boot) return SavedState{};
  return state;
}

std::string path_in(const std::string& folder) { return folder + "/host.state"; }

}  // namespace

StateFile::StateFile(std::string path, UniqueFd lock) noexcept
    : path_(std::move(path)), lock_(std::move(lock)) {}

Result<StateFile> StateFile::open(const std::string& folder) {
  if (auto made = make_private_folder(folder); !made) return std::unexpected(made.error());
  const std::string path = folder + "/host.lock";
  UniqueFd lock{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, private_mode)};
  if (!lock) return system_error("open " + path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("lock " + path);
    return make_error(Error::Kind::unavailable,
                      "another `thalweg host` is at work: try again when it has ended");
  }
  return StateFile{path_in(folder), std::move(lock)};
}

Result<SavedState> StateFile::peek(const std::string& folder) { return load_file(path_in(folder)); }

Result<SavedState> StateFile::load() const { return load_file(path_); }

Result<void> StateFile::store(const SavedState& state) const {
  if (state.settings.empty()) {
    if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return system_error("remove " + path_);
    return {};
  }
  const auto text = to_text(state);
  if (!text) {
    return make_error(Error::Kind::unavailable,
                      "a device or a present setting has a name or value that cannot be written "
                      "down, so it could not be put back");
  }
  return replace_file(path_, *text);
}

}  // namespace tw::host
