// ICMP errors that the lane writes to the TUN, to tell the host about packets that have no way.
// Their rate is limited: each costs a write, and a host that scans a dead prefix should not get
// them all.
#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "lane/counters.h"
#include "port/port.h"
#include "wire/ip/icmp.h"

namespace tw::lane {

class IcmpReplies {
 public:
  /// One a millisecond on average would be no limit to a scanner, and one a second would leave
  /// most of a browser's connections to a dead host hanging.
  static constexpr Duration interval = 10ms;
  static constexpr int burst = 50;

  /// Both must outlive this. Counts as generated, and sent or dropped, in `from_wire`: that is the
  /// direction in which these leave.
  IcmpReplies(Port& tun, DirectionCounters& from_wire) noexcept : tun_(tun), counters_(from_wire) {}

  /// Answers a packet of the host's, if it may be answered (icmp_undelivered) and the rate allows.
  void answer(ByteView packet, const Undelivered& reason, Instant now) noexcept;

 private:
  Port& tun_;
  DirectionCounters& counters_;
  Instant full_at_;  // when the bucket has all its tokens again
};

}  // namespace tw::lane
