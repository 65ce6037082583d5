// Does in a lane what the handshake context says: sends its messages, installs its keypairs.
#pragma once

#include "exec/turn.h"
#include "lane/counters.h"
#include "lane/handshake/handshake_channel.h"
#include "lane/handshake/handshake_gate.h"
#include "lane/handshake/handshake_requests.h"
#include "lane/peers/peer_sessions.h"
#include "lane/peers/peer_table.h"
#include "lane/transmit/transmit_pipeline.h"

namespace tw::lane {

class HandshakeEvents {
 public:
  /// All must outlive this. The gate learns where handshakes have come from.
  HandshakeEvents(HandshakeChannel& channel, HandshakeGate& gate, HandshakeRequests& requests,
                  PeerTable& peers, PeerSessions& sessions, TransmitPipeline& transmit,
                  DirectionCounters& to_wire) noexcept
      : channel_(channel),
        gate_(gate),
        requests_(requests),
        peers_(peers),
        sessions_(sessions),
        transmit_(transmit),
        counters_(to_wire) {}

  void take(Turn& turn) noexcept;
  /// Takes all that there are, whatever it costs: none of them must outlive a peer's removal.
  void take_all(Instant now) noexcept;
  bool empty() const noexcept { return channel_.events.empty(); }

 private:
  void handle(HandshakeEvent& event, Turn& turn) noexcept;
  void send(HandshakeEvent& event, LanePeer* peer, Turn& turn) noexcept;
  void send_initiation(LanePeer& peer, ByteView message) noexcept;
  void establish(LanePeer& peer, HandshakeEvent& event, Turn& turn) noexcept;

  HandshakeChannel& channel_;
  HandshakeGate& gate_;
  HandshakeRequests& requests_;
  PeerTable& peers_;
  PeerSessions& sessions_;
  TransmitPipeline& transmit_;
  DirectionCounters& counters_;
  HandshakeEvent event_;  // kept, so that popping does not build one each time
};

}  // namespace tw::lane
