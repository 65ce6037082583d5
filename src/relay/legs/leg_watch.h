// Finds out whether a PoP still has the legs that are in use to and from it. A PoP that dies takes
// them along without a word, and a side that only waits for bytes never finds out. So the leg that
// has been silent longest is asked once a second, and its kernel's answer is all that counts: an
// acknowledgement (of a reader that has paused as well) proves life, a reset proves a restart, and
// then all of the PoP's legs are asked at once. A pure rule; LegLiveness asks.
//
// Questions are counted, not time: a clock that jumps, or a machine that slept, kills nobody.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/time.h"
#include "relay/stream/connection.h"
#include "relay/stream/connection_table.h"

namespace tw::relay {

/// A leg: one side of a connection.
struct LegName {
  ConnectionId id;
  Side side = Side::back;
};

class LegWatch {
 public:
  static constexpr Duration interval = 1s;  ///< between two questions; nobody else is asked
  /// Unanswered questions after which all legs are asked, so that each may prove its life.
  static constexpr unsigned doubtful = 2;
  /// Resets in a row that prove a restart: one may have been a server's.
  static constexpr unsigned enough_resets = 2;
  /// Unanswered questions after which the legs are given up that did not prove their life: with the
  /// silence before the first, a connect_timeout, but never within a route's flapping.
  static unsigned deadly(Duration connect_timeout) noexcept {
    constexpr unsigned least = 7;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(connect_timeout).count();
    return std::max(least, static_cast<unsigned>(std::max<long>(seconds, 2)) - 2);
  }

  /// This leg is asked.
  void ask(LegName leg) noexcept { asked_ = leg; }
  const std::optional<LegName>& asked() const noexcept { return asked_; }
  bool is_asked(ConnectionId id) const noexcept { return asked_ && asked_->id == id; }
  /// It has gone, or nobody needs to be asked.
  void forget() noexcept { asked_.reset(); }

  void heard() noexcept { unanswered_ = resets_ = 0; }
  /// It was asked an interval ago, and has said nothing.
  void silent() noexcept { ++unanswered_; }
  /// The one that was asked has been reset.
  void was_reset() noexcept {
    asked_.reset();
    wants_sweep_ |= ++resets_ >= enough_resets;
    hurry();
  }
  /// There is a reason to ask now: something has died.
  void hurry() noexcept { hurried_ = true; }
  bool is_hurried() const noexcept { return hurried_; }
  bool take_hurry() noexcept { return std::exchange(hurried_, false); }

  /// All legs are to be asked: while in doubt, with every second question.
  bool wants_sweep() const noexcept {
    return wants_sweep_ || (unanswered_ >= doubtful && unanswered_ % 2 == 0);
  }
  void begin_sweep() noexcept { wants_sweep_ = false; }
  unsigned unanswered() const noexcept { return unanswered_; }
  bool is_dead(Duration connect_timeout) const noexcept {
    return unanswered_ >= deadly(connect_timeout);
  }

  /// Takes part in the choice of the leg that is asked next: the one that was heard longest ago.
  void propose(LegName leg, Instant heard) noexcept {
    if (longest_ && heard >= longest_->heard) return;
    longest_ = Proposal{.leg = leg, .heard = heard};
  }
  struct Proposal {
    LegName leg;
    Instant heard;
  };
  /// Returns the choice, and begins a new one; empty if no leg is in use.
  std::optional<Proposal> take_longest_silent() noexcept {
    return std::exchange(longest_, std::nullopt);
  }

 private:
  std::optional<LegName> asked_;
  std::optional<Proposal> longest_;
  unsigned unanswered_ = 0, resets_ = 0;
  bool hurried_ = false, wants_sweep_ = false;
};

}  // namespace tw::relay
