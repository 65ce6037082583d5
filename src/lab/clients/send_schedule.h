// An open-loop schedule: when each unit is to be sent is fixed before the first one is, and nothing
// that the target does moves it. A sender that falls behind catches up, within a bound; beyond that
// it gives units up and counts them, since a burst that nobody asked for would be another load.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace tw::lab {

class SendSchedule {
 public:
  /// A unit every `interval_ns` (a fraction counts) from `start` on; 0: always due.
  ///   backlog  how late a unit may be and still be sent
  SendSchedule(Instant start, double interval_ns, Duration backlog) noexcept
      : start_(start), interval_ns_(interval_ns), backlog_(backlog) {}

  struct Due {
    std::uint64_t first = 0;  ///< number of the first unit
    std::uint64_t count = 0;
    Duration late = Duration::zero();  ///< of the first one
  };
  /// Takes the units that are due, at most `most`.
  Due take(Instant now, std::uint64_t most) noexcept {
    if (interval_ns_ <= 0) {
      next_ += most;
      return {next_ - most, most, Duration::zero()};
    }
    if (now < due(next_)) return {next_, 0, Duration::zero()};
    give_up(now);
    const std::uint64_t passed = number_at(now) + 1;
    const Due taken{next_, passed - next_ < most ? passed - next_ : most, now - due(next_)};
    next_ += taken.count;
    return taken;
  }

  /// When unit `number` is to be sent.
  Instant due(std::uint64_t number) const noexcept {
    const double ns = static_cast<double>(number) * interval_ns_;
    return start_ + Duration{static_cast<Duration::rep>(ns)};
  }
  Instant next() const noexcept { return due(next_); }
  /// Units that were given up.
  std::uint64_t skipped() const noexcept { return skipped_; }

 private:
  /// The last unit that is due at `now`, which is not before the first.
  std::uint64_t number_at(Instant now) const noexcept {
    auto number =
        static_cast<std::uint64_t>(static_cast<double>((now - start_).count()) / interval_ns_);
    if (due(number) > now) --number;  // rounded up
    return number;
  }
  void give_up(Instant now) noexcept {
    if (now - due(next_) <= backlog_) return;
    const std::uint64_t keep = number_at(now - backlog_);
    if (keep <= next_) return;
    skipped_ += keep - next_;
    next_ = keep;
  }

  Instant start_;
  double interval_ns_;
  Duration backlog_;
  std::uint64_t next_ = 0;
  std::uint64_t skipped_ = 0;
};

}  // namespace tw::lab
