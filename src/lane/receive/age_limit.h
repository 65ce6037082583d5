// Chooses the transport packets that a socket's queue must lose. The queue's wait is each
// datagram's age, less an excuse: packets that came while the worker itself was away (descheduled,
// its machine stolen) waited for no queue. CoDel's law (port/delay_law.h) says when that has
// lasted; then one packet is dropped, not the train it came in, so that one TCP slows down.
//
// A load that does not slow down is cut: after some signals in vain each further one lowers an age
// beyond which packets are dropped, until the wait is on target; it rises again when the wait is
// short. Either way only those lose who send much (lane/receive/byte_shares.h).
#pragma once

#include <algorithm>
#include <utility>

#include "base/time.h"
#include "lane/receive/byte_shares.h"
#include "port/delay_law.h"

namespace tw::lane {

class AgeLimit {
 public:
  /// A queue may stand so long: a long round trip, as a sender hears of a drop after one.
  static constexpr Duration interval = 100ms;
  /// Signals for those who slow down, before the others are cut.
  static constexpr std::uint32_t patience = 8;
  /// Beyond this age all are cut at once.
  static constexpr Duration oldest = 2 * interval;

  /// `target`: the wait that may last; zero: any.
  explicit AgeLimit(Duration target = {}) noexcept
      : law_(target, interval), longest_(std::max(oldest, 2 * target)), edge_(longest_) {}

  /// A poll begins, of all sockets that share the limit.
  void begin(Instant now) noexcept {
    gap_ = std::max(now - polled_at_, Duration::zero());
    polled_at_ = now;
    excuse_ = std::max(excuse_ - gap_, Duration::zero());
    shares_.advance(now);
    if (!law_.above() && edge_ < longest_) {
      const double grown = static_cast<double>(edge_.count()) *
                           (1 + static_cast<double>(gap_.count()) / interval.count());
      edge_ = grown < static_cast<double>(longest_.count())
                  ? Duration{static_cast<Duration::rep>(grown)}
                  : longest_;
    }
  }
  /// A train that came `age` ago is next. Of one socket's, the oldest first. `unpolled`: before it
  /// was taken, nobody had looked at its socket for so long; a worker may be sent away in the
  /// middle of a poll, too.
  void next_train(Duration age, Duration unpolled = {}) noexcept {
    if (law_.target() == Duration::zero()) return;
    // Nobody was kept waiting before the first one came: an idle worker is not away.
    excuse_ = std::max(excuse_, std::min(std::max(gap_, unpolled), age));
    const Duration sojourn = age - excuse_;
    shortest_ = law_.above() ? std::min(shortest_, sojourn) : sojourn;
    while (law_.signal(polled_at_, sojourn)) {
      ++owed_;
      if (law_.count() > patience) lower_edge();
    }
    if (!law_.above()) owed_ = 0;
    too_old_ = sojourn > edge_;
  }
  /// A transport packet of that train. `whose`: a bucket of ByteShares. True: drop it.
  bool overdue(std::size_t whose, std::size_t bytes) noexcept {
    if (law_.target() == Duration::zero()) return false;
    shares_.add(whose, bytes);
    if (!too_old_ && owed_ == 0) return false;
    if (!shares_.much(whose)) return false;
    if (owed_ > 0) --owed_;
    return true;
  }

 private:
  void lower_edge() noexcept {
    const Duration standing = std::min(edge_, std::exchange(shortest_, Duration::max()));
    edge_ = std::max(standing - standing / 4, law_.target());
  }

  DelayLaw law_;
  ByteShares shares_;
  Duration longest_, edge_;  // what is older is cut; at most, and now
  Instant polled_at_;
  Duration gap_{};          // between the last two polls
  Duration excuse_{};       // the longest one of late, less the time since
  Duration shortest_{};     // sojourn since the edge was lowered
  std::uint32_t owed_ = 0;  // packets that the law wants dropped
  bool too_old_ = false;    // the train under way
};

}  // namespace tw::lane
