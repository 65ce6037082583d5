// Spin or sleep? Waking a sleeping thread on another CPU takes some 30 us, and 12 us of the waker's
// time; spinning takes a core. Ski rental: spin no longer than a wake-up costs, then park. Whatever
// comes when, that is never worse than twice the best choice made in hindsight. And twice is too
// much to pay for ever: a worker whose gaps have lately been longer than a spin does not spin.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "base/time.h"

namespace tw {

struct GovernorSettings {
  enum class Mode : std::uint8_t {
    interrupt,  ///< park as soon as there is nothing to do
    adaptive,   ///< spin for `spin` after the last work, while that pays, then park
    busy,       ///< never park: the lowest latency, a whole core
  };
  Mode mode = Mode::interrupt;
  /// Covers every arrival rate above 20,000 a second; 5 us would pay for both and gain nothing.
  Duration spin = std::chrono::microseconds{50};
  /// Adaptive and interrupt: wake this long before a deadline and poll until it has come. What a
  /// timer's wake-up is late, this takes away, at the price of as much CPU time for each deadline.
  Duration before_deadline = Duration::zero();
};

class Governor {
 public:
  explicit Governor(GovernorSettings settings) noexcept : settings_(settings) {}

  /// Once a turn, with the turn's time and whether it did anything: true if the context may park.
  bool may_park(Instant now, bool worked) noexcept {
    if (settings_.mode == GovernorSettings::Mode::busy) return false;
    if (settings_.mode == GovernorSettings::Mode::interrupt) return true;
    if (worked) {
      note(!idle_ || now - idle_since_ <= settings_.spin);
      idle_ = false;
      return false;
    }
    // From the end of the work, not from its beginning: a long turn is no gap.
    if (!std::exchange(idle_, true)) idle_since_ = now;
    return credit_ < enough_credit || now - idle_since_ >= settings_.spin;
  }
  /// Returns true if it may sleep without listening to its descriptors.
  bool may_coalesce() const noexcept { return settings_.mode != GovernorSettings::Mode::busy; }
  /// Returns when to wake for `deadline`, a little before it.
  Instant wake_at(Instant deadline) const noexcept {
    return deadline == Instant::max() ? deadline : deadline - settings_.before_deadline;
  }

 private:
  // A spin in vain costs 50 us, one that catches the next work saves a wake-up's 12 to 20: it pays
  // where three of four do. The rest is memory: some ten gaps turn the decision over.
  static constexpr int hit_credit = 1, miss_credit = 4, most_credit = 32, enough_credit = 16;

  void note(bool hit) noexcept {
    credit_ =
        hit ? std::min(credit_ + hit_credit, most_credit) : std::max(credit_ - miss_credit, 0);
  }

  GovernorSettings settings_;
  Instant idle_since_{};
  bool idle_ = false;
  int credit_ = most_credit;
};

}  // namespace tw
