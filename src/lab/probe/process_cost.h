// The work of a set of processes: CPU time and context switches, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>

namespace tw::lab {

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
