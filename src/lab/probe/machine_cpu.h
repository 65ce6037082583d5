// Time that the machine's CPUs are busy, all together, and time that the host of a virtual machine
// has taken away from them: from /proc/stat.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tw::lab {

/// Ticks since the machine started, of all CPUs together (proc_stat(5)).
struct MachineCpu {
  std::uint64_t busy = 0;    ///< user, nice, system, interrupts
  std::uint64_t stolen = 0;  ///< that the host gave to others
  std::uint64_t total = 0;   ///< idle time included

  MachineCpu since(const MachineCpu& before) const noexcept {
    return {busy - before.busy, stolen - before.stolen, total - before.total};
  }
  /// Share of all CPUs' time, 0 to 1; 0 in no time.
  double stolen_share() const noexcept;
  double busy_share() const noexcept;
};

/// Reads /proc/stat; all zero if it cannot be read.
MachineCpu machine_cpu();

/// From the text of that file. None if its first line is not the sum of all CPUs.
std::optional<MachineCpu> parse_machine_cpu(std::string_view text) noexcept;

}  // namespace tw::lab
