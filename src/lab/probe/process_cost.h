// The work of a set of processes: CPU time and context switches, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>

namespace tw::lab {

/// The work of all threads, without those that have ended.
struct ProcessCost {
  std::uint64_t cpu_ns = 0;
  std::uint64_t switches = 0;  ///< voluntary and not

  ProcessCost& operator+=(const ProcessCost& other) noexcept;
  /// Returns the work in between; zero where a thread has ended meanwhile and the sum fell.
  ProcessCost since(const ProcessCost& before) const noexcept;
};

/// Reads a handful of files a thread: some ten microseconds each.
ProcessCost cost_of(std::span<const pid_t> pids);

/// The switches in the text of /proc/PID/task/TID/status.
std::uint64_t parse_switches(const std::string& status) noexcept;

}  // namespace tw::lab
