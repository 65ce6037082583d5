// The relay's answers about held SYNs as one source of a lane's turns: a SYN passes to the TUN, is
// refused by a reset to the peer, or is dropped.
#pragma once

#include "exec/turn.h"
#include "lane/counters.h"
#include "lane/peers/held_syns.h"
#include "lane/peers/peer_sessions.h"
#include "lane/peers/peer_table.h"
#include "port/port.h"

namespace tw::lane {

class SynAnswersSource {
 public:
  /// All must outlive this.
  SynAnswersSource(HeldSyns& syns, PeerTable& peers, PeerSessions& sessions, Port& tun,
                   LaneCounters& counters) noexcept
      : syns_(syns), peers_(peers), sessions_(sessions), tun_(tun), counters_(counters) {}

  void take(Turn& turn) noexcept;

 private:
  void pass(ByteSpan packet) noexcept;
  void refuse(ByteView packet, Turn& turn) noexcept;

  HeldSyns& syns_;
  PeerTable& peers_;
  PeerSessions& sessions_;
  Port& tun_;
  LaneCounters& counters_;
};

}  // namespace tw::lane
