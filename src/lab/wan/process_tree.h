// Processes that were started by others, and what the work of a set of them has cost: CPU time and
// context switches, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
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

/// Of all threads, those that have ended left out.
struct ProcessCost {
  std::uint64_t cpu_ns = 0;
  std::uint64_t switches = 0;  ///< voluntary and not

  ProcessCost& operator+=(const ProcessCost& other) noexcept;
  /// What came in between; zero where a thread has ended meanwhile and the sum fell.
  ProcessCost since(const ProcessCost& before) const noexcept;
};

/// Reads a handful of files a thread: some ten microseconds each.
ProcessCost cost_of(std::span<const pid_t> pids);

/// The switches in the text of /proc/PID/task/TID/status.
std::uint64_t parse_switches(const std::string& status) noexcept;

}  // namespace tw::lab
