#include "lab/bed/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "base/file/new_file.h"

namespace tw::lab {
namespace {

namespace fs = std::filesystem;

fs::path lock_file(const fs::path& folder, pid_t pid) {
  return folder / ("twd" + std::to_string(pid) + ".run");
}

/// A sweeping run may have removed the file between our opening and locking it.
bool is_still_there(const UniqueFd& file, const fs::path& path) {
  struct stat ours{};
  struct stat named{};
  return fstat(file.get(), &ours) == 0 && lstat(path.c_str(), &named) == 0 &&
         ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

}  // namespace

Result<RunLock> RunLock::hold(const fs::path& folder) {
  fs::path path = lock_file(folder, getpid());
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (auto made = make_private_folder(folder.string()); !made) {
      return std::unexpected(made.error());
    }
    UniqueFd file{open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file && errno == ENOENT) continue;  // a node that ends removes the folder if it is empty
    if (!file) return system_error("create " + path.string());
    // Nobody else has our pid: who has the lock is looking at it, and lets it go at once.
    if (flock(file.get(), LOCK_EX) != 0) return system_error("lock " + path.string());
    if (is_still_there(file, path)) return RunLock{std::move(path), std::move(file)};
  }
  return make_error(Error::Kind::unavailable, "somebody removes " + path.string());
}

RunLock::RunLock(RunLock&& other) noexcept
    : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}

RunLock::~RunLock() {
  if (!path_.empty()) unlink(path_.c_str());  // before it is unlocked
}

bool is_dead_run(pid_t pid, const fs::path& folder) {
  if (pid <= 0) return false;
  const UniqueFd file{open(lock_file(folder, pid).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file) return errno == ENOENT && kill(pid, 0) != 0 && errno == ESRCH;
  return flock(file.get(), LOCK_SH | LOCK_NB) == 0;
}

}  // namespace tw::lab
