// The TUN queue of a lane as one source of its turns: what the host sends finds its peer by the
// inner destination, and goes to that peer's session. What has no way is answered by ICMP.
#pragma once

#include <cstddef>

#include "exec/turn.h"
#include "lane/counters.h"
#include "lane/peers/peer_sessions.h"
#include "lane/peers/peer_table.h"
#include "lane/strangers/strangers.h"
#include "lane/transmit/icmp_replies.h"
#include "port/batch_place.h"
#include "port/packet_batch.h"
#include "port/port.h"
#include "steer/steering_table.h"
#include "wire/offload/gso.h"

namespace tw::lane {

class TunSource {
 public:
  /// `packets`: how many are handled together, each perhaps a train. All must outlive this.
  TunSource(Port& tun, PeerTable& peers, PeerSessions& sessions, Strangers& strangers,
            const SteeringTable& steering, ContextId self, LaneCounters& counters,
            std::size_t packets);

  void take(Turn& turn) noexcept;
  /// Arms the queue. False if packets wait in it, or in the batch.
  bool arm() noexcept;

 private:
  std::size_t poll() noexcept;
  void take_train(Turn& turn) noexcept;
  void pass_on(ContextId owner, const Train& train, std::size_t segments) noexcept;
  void send(const Train& train, const GsoView& packet, LanePeer* peer, std::size_t first,
            std::size_t count, Turn& turn) noexcept;
  void count_taken(const Train& train, std::size_t segments, std::size_t bytes) noexcept;

  Port& tun_;
  PeerTable& peers_;
  PeerSessions& sessions_;
  Strangers& strangers_;
  const SteeringTable& steering_;
  ContextId self_;
  DirectionCounters& counters_;
  IcmpReplies icmp_;
  PacketBatch batch_;
  BatchPlace place_;
};

}  // namespace tw::lane
