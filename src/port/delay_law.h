// When a queue that stands must push back: CoDel's law (RFC 8289), apart from any queue. A wait is
// bad only if it lasts: a burst passes, however long, as long as the queue falls below the target
// once in an interval. While it does not, signals to slow down become due, one after an interval
// and the next ones sooner and sooner. What a signal is (a lost segment, a lower limit) the owner
// of the queue decides.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/time.h"

namespace tw {

class DelayLaw {
 public:
  /// `target`: the wait that may last. `interval`: for how long a longer one may, which should be
  /// the round trip of those who are to slow down.
  DelayLaw(Duration target, Duration interval) noexcept : target_(target), interval_(interval) {}

  /// Something left the queue at `now`, having waited for `sojourn`. True: a signal is due. Ask
  /// again with the same, as several may be. O(1).
  bool signal(Instant now, Duration sojourn) noexcept {
    if (sojourn <= target_) {
      above_ = standing_ = false;
      return false;
    }
    if (!above_) {
      above_ = true;
      next_ = now + interval_;
    }
    if (now < next_) return false;
    if (now - next_ > interval_) next_ = now;  // the owner was away: not all at once
    if (!standing_) {
      standing_ = true;
      // As many as made it yield a short while ago will be needed again.
      const bool again =
          count_ > forgiven && now - signalled_at_ < remembered_intervals * interval_;
      count_ = again ? count_ - forgiven : 1;
      next_ = now;
    } else if (count_ < most_signals) {
      ++count_;
    }
    signalled_at_ = now;
    next_ = next_ + spacing();
    return true;
  }

  /// True if everything that has left lately has waited for too long.
  bool above() const noexcept { return above_; }
  /// Signals since the queue began to stand; what is remembered of the last time included.
  std::uint32_t count() const noexcept { return standing_ ? count_ : 0; }
  Duration target() const noexcept { return target_; }
  Duration interval() const noexcept { return interval_; }

 private:
  static constexpr std::uint32_t forgiven = 2;
  static constexpr int remembered_intervals = 16;
  static constexpr std::uint32_t most_signals = 1U << 20U;

  Duration spacing() const noexcept {
    return Duration{static_cast<Duration::rep>(static_cast<double>(interval_.count()) /
                                               std::sqrt(static_cast<double>(count_)))};
  }

  Duration target_, interval_;
  bool above_ = false;     // since the last wait that was short
  bool standing_ = false;  // for an interval by now
  Instant next_;           // above_: when the next signal is due
  Instant signalled_at_;
  std::uint32_t count_ = 0;
};

}  // namespace tw
