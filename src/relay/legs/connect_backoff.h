// Paces the attempts to make warm legs. While all is well: at once. After a failure: one attempt at
// a time, with pauses that double and are jittered, until a leg has been made and has lived for a
// while. A connection alone proves nothing: a PoP that does not want us, or is full, accepts it and
// resets it a moment later.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/time.h"

namespace tw::relay {

class ConnectBackoff {
 public:
  static constexpr Duration first_pause = 200ms;
  /// A PoP that is back is in use again after so long at most; ten a minute cost a dead one
  /// nothing.
  static constexpr Duration longest_pause = 10s;
  /// A leg that has lived so long is wanted at its other end.
  static constexpr Duration proof_time = 1s;

  /// `random` must outlive this.
  explicit ConnectBackoff(RandomSource& random) noexcept : random_(&random) {}

  bool failing() const noexcept { return failures_ > 0; }
  /// Outages are counted once, however many attempts were under way when they began.
  std::uint32_t failures_in_row() const noexcept { return failures_; }
  /// Returns when the next attempt may begin. While failing() only if none is under way; that is
  /// the caller's to see. Any time, and not after `now`, while all is well.
  Instant next_attempt() const noexcept { return failing() ? again_ : Instant{}; }

  /// An attempt begins. The next may follow after the same pause, whatever becomes of this one.
  void begun(Instant now) noexcept;
  /// The attempt that began at `begun` has failed, or its leg died before its proof_time.
  void failed(Instant begun, Instant now) noexcept;
  /// A leg that was established at `established` has lived for proof_time.
  void proved(Instant established) noexcept;
  /// The path is another one now: nothing is known of it.
  void reset() noexcept { failures_ = 0; }

 private:
  Duration pause() noexcept;

  RandomSource* random_;
  std::uint32_t failures_ = 0;
  Instant failed_at_, again_;
};

}  // namespace tw::relay
