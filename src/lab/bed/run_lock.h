// Tells which runs live. Things of a run carry its pid, but a pid alone says little: the program
// that has it may be another by now, and a run's program may have any name. So a run holds a lock
// on a file that the kernel lets go of however the run ends, and whoever sweeps looks at the lock.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tw::lab {

/// Held while it exists; the file FOLDER/twdPID.run goes with it. Make it before anything else
/// that carries the run's pid.
class RunLock {
 public:
  /// For this process, once at a time. An error if the file cannot be made or locked.
  static Result<RunLock> hold(const std::filesystem::path& folder = "/run/thalweg");
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&&) = delete;
  ~RunLock();

 private:
  RunLock(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::filesystem::path path_;  ///< empty: moved from
  UniqueFd fd_;
};

/// Returns true if the run with this pid is over: its file is there and not locked. Without a file,
/// which is a run of an older version or no run at all, only when nothing has the pid. Not of 0,
/// which is no pid.
bool is_dead_run(pid_t pid, const std::filesystem::path& folder = "/run/thalweg");

}  // namespace tw::lab
