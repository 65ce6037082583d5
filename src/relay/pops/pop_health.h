// Judges whether new connections should go by a PoP. A PoP that has died says nothing, and TCP
// takes seconds to believe it: so the first leg whose header is not acknowledged in time is
// believed, and later connections go another way. A new leg proves the contrary; and if none is
// being made, one connection is risked now and then, more and more rarely. A pure rule.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "relay/legs/leg_source.h"

namespace tw::relay {

class PopHealth {
 public:
  static constexpr Duration first_pause = 1s, longest_pause = 30s;

  /// A leg to it was not answered in time, or could not be made. `pool`: its state now.
  void suspect(const LegSourceState& pool, Instant now) noexcept;
  /// A leg to it has been answered.
  void answered() noexcept;
  /// Costs a few comparisons.
  bool is_usable(const LegSourceState& pool, Instant now) const noexcept;

  /// Returns how long the header of a leg may stay unacknowledged. Room for one loss: the kernel
  /// sends again after an RTT and at least 200 ms. Within the second in which a dead PoP must be
  /// known.
  static Duration patience(Duration rtt) noexcept;

 private:
  bool suspected_ = false;
  std::uint64_t opened_ = 0;  // legs of the pool, when it was suspected
  Instant again_;
  Duration pause_{0};
};

}  // namespace tw::relay
