// The number of warm legs to keep for a PoP: as many as are used while one is being replaced, and
// a little more. A browser takes a dozen within a second and then none for a minute, so the busiest
// refill time of late counts, and is forgotten slowly.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace tw::relay {

class PoolSize {
 public:
  /// A peak of use is half forgotten after so long: the next page of a reader finds its
  /// legs, and an hour later nobody pays for them.
  static constexpr Duration half_life = 1min;
  /// Kept beyond the most that one refill time has used. That peak holds the arrivals' own scatter
  /// already; this is for a refill that takes longer than usual.
  static constexpr double head_room = 1.25;
  /// Between nearby PoPs the round trip is nothing, but a burst still comes faster than legs are
  /// begun.
  static constexpr Duration least_refill_time = 20ms;

  /// Somebody wanted a leg, whether or not there was one. `refill_time` is how long a new one takes
  /// at present. `now` never goes back.
  void used(Instant now, Duration refill_time) noexcept;
  /// Returns how many to keep; not less than `low`, not more than `high`.
  std::size_t target(Instant now, std::size_t low, std::size_t high) const noexcept;

 private:
  double peak_at(Instant now) const noexcept;

  // Uses within the last refill time, estimated: those of this window, and of the one before as
  // much as still overlaps.
  Instant window_began_;
  std::uint32_t in_window_ = 0, in_window_before_ = 0;
  double peak_ = 0;  // when it was reached; it decays from there
  Instant peaked_;
};

}  // namespace tw::relay
