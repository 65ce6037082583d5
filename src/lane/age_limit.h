// How long a packet may have waited in a socket before it is thrown away unopened. What came while
// the worker itself was away (descheduled, its machine stolen) is excused: one late turn must not
// cost a burst of packets that the next one would have handled. So only a standing queue is cut.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace tw::lane {

class AgeLimit {
 public:
  /// `limit` zero: none.
  explicit AgeLimit(Duration limit = {}) noexcept : limit_(limit) {}

  /// A poll begins, of all sockets that share the limit.
  void begin(Instant now) noexcept {
    gap_ = std::max(now - polled_at_, Duration::zero());
    polled_at_ = now;
    excuse_ = std::max(excuse_ - gap_, Duration::zero());
  }
  /// Whether something that came `age` ago waited too long. Of one socket's, the oldest first.
  /// `unpolled`: before it was taken, nobody had looked at its socket for so long; a worker may be
  /// sent away in the middle of a poll, too.
  bool overdue(Duration age, Duration unpolled = {}) noexcept {
    if (limit_ == Duration::zero()) return false;
    // Nobody was kept waiting before the first one came: an idle worker is not away.
    excuse_ = std::max(excuse_, std::min(std::max(gap_, unpolled), age));
    return age - excuse_ > limit_;
  }

 private:
  Duration limit_;
  Instant polled_at_;
  Duration gap_{};     // between the last two polls
  Duration excuse_{};  // the longest one of late, less the time since
};

}  // namespace tw::lane
