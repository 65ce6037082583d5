// Does what the sessions of a lane's peers ask for: packets sealed and sent or put aside for a
// handshake, keepalives, requests to the handshake context, timers.
#pragma once

#include <cstddef>

#include "exec/timer_wheel.h"
#include "exec/turn.h"
#include "lane/counters.h"
#include "lane/handshake/handshake_requests.h"
#include "lane/peers/peer_table.h"
#include "lane/transmit/staging_pool.h"
#include "lane/transmit/transmit_pipeline.h"
#include "wg/session.h"
#include "wire/offload/gso.h"

namespace tw::lane {

struct PeerSessionsLimits {
  std::size_t peers = 65536;          ///< timers; a slot costs 32 bytes
  std::size_t staged_packets = 4096;  ///< of all peers together; touched ones cost memory
  std::size_t staged_packet_bytes = 2048;
};

class PeerSessions {
 public:
  /// All must outlive this.
  PeerSessions(PeerTable& peers, TransmitPipeline& transmit, HandshakeRequests& requests,
               DirectionCounters& to_wire, PeerSessionsLimits limits, Instant now);

  /// Does what a session has asked for. What staged packets are sealed is charged to `turn`.
  void act(LanePeer& peer, const wg::SessionActions& actions, Turn& turn) noexcept;
  /// The receiver indices of these keypairs are out of use.
  void release(const wg::ReleasedKeypairs& released) noexcept;

  /// Queues segments of a packet from the host, or stages them if there is no keypair. The peer
  /// must have an endpoint.
  void transmit(LanePeer& peer, const GsoView& packet, std::size_t first, std::size_t count,
                Turn& turn) noexcept;
  /// Queues an empty packet. Without a keypair a handshake is asked for, without an endpoint
  /// nothing is done.
  void keepalive(LanePeer& peer, Instant now) noexcept;
  /// Asks for a handshake, if the peer has an endpoint.
  void want_handshake(const LanePeer& peer) noexcept {
    if (peer.endpoint) requests_.initiate(peer.id);
  }
  /// Seals and sends all that is queued. Must be called before queued packets' keypairs go.
  void flush(Instant now) noexcept;

  /// Wipes the session; what is staged is dropped.
  void clear(LanePeer& peer) noexcept;
  /// clear(), and its timer too: the peer goes. Nothing of it may be queued.
  void forget(LanePeer& peer) noexcept;

  /// Its session's timers may have moved.
  void rearm(LanePeer& peer) noexcept;
  void run_timers(Turn& turn) noexcept;
  Instant next_deadline() const noexcept { return timers_.next_deadline(); }

 private:
  void stage(LanePeer& peer, const GsoView& packet, std::size_t segment, Turn& turn) noexcept;
  void flush_staged(LanePeer& peer, Turn& turn) noexcept;
  void drop_staged(LanePeer& peer, Drop reason) noexcept;
  void drop_overdue(LanePeer& peer, Instant now) noexcept;
  void fire(LanePeer& peer, Turn& turn) noexcept;

  PeerTable& peers_;
  TransmitPipeline& transmit_;
  HandshakeRequests& requests_;
  DirectionCounters& counters_;
  StagingPool staging_;
  TimerWheel timers_;
};

}  // namespace tw::lane
