// TAI64N timestamps, which order the initiations of a peer: the responder takes only one that is
// later than the last (whitepaper, section 5.1). So ours grow strictly, whatever the wall clock
// does.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "base/time.h"

namespace tw::wg {

/// 12 bytes, big-endian seconds and nanoseconds: comparing the bytes compares the times.
struct Tai64n {
  std::array<std::uint8_t, 12> bytes{};
  friend constexpr auto operator<=>(const Tai64n&, const Tai64n&) noexcept = default;

  /// Rounded down to 2^24 ns (17 ms), as the Linux module does it, so that the timestamps do not
  /// tell how fast this machine works. Times before 1970 count as 1970.
  static Tai64n of(WallTime wall) noexcept;
};

/// The timestamp of an initiation at `wall` after one that carried `last`: the time, or the next
/// rounding step after `last` where the time is not later.
Tai64n timestamp_after(const Tai64n& last, WallTime wall) noexcept;

}  // namespace tw::wg
