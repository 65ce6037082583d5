// Processes that were started by others.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/unique_fd.h"

namespace tw::lab {

/// A process that is not our child: its number may have a new owner at any time, a pidfd has not.
class Handle {
 public:
  Handle(pid_t pid, UniqueFd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid() const noexcept { return pid_; }
  /// SIGKILL; returns when it has ended, or after two seconds.
  void end() const noexcept;

 private:
  pid_t pid_;
  UniqueFd pidfd_;
};

/// The children of `pid`, and theirs, at this moment; empty if it has ended.
std::vector<Handle> descendants_of(pid_t pid);

}  // namespace tw::lab
