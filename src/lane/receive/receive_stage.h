// The first stage of the receive side: trains in, sealed packets out. Every segment is classified
// by itself; handshake messages go through the gate, and a transport packet finds its keypair by
// the receiver index, if the bucket in it is this worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "exec/context.h"
#include "exec/turn.h"
#include "lane/counters.h"
#include "lane/handshake/handshake_gate.h"
#include "lane/peers/peer_table.h"
#include "lane/receive/age_limit.h"
#include "lane/receive/received_packets.h"
#include "lane/strangers/strangers.h"
#include "port/batch_place.h"
#include "port/packet_batch.h"
#include "steer/receiver_index.h"
#include "steer/steering_table.h"

namespace tw::lane {

class ReceiveStage {
 public:
  /// All must outlive the stage. `steering` says which buckets belong to `self`; what belongs to
  /// others is passed on by `strangers`.
  ReceiveStage(PeerTable& peers, HandshakeGate& gate, Strangers& strangers,
               const ReceiverIndex& codec, const SteeringTable& steering, ContextId self,
               DirectionCounters& counters) noexcept
      : peers_(peers),
        gate_(gate),
        strangers_(strangers),
        codec_(codec),
        steering_(steering),
        self_(self),
        counters_(counters) {}

  /// Limits how long transport data may wait in a socket (Train::age) for good; zero: any time.
  void set_queue_limit(Duration limit) noexcept { age_limit_ = AgeLimit{limit}; }
  /// A poll of all ports begins.
  void begin(Instant now) noexcept { age_limit_.begin(now); }

  /// Takes segments of `batch` from `at` on, until its end, the turn's, or the room in `sealed`,
  /// and moves `at` behind them. A train that finds too little room waits for the next call, unless
  /// `sealed` was empty. Returns the handshake messages that passed the gate.
  std::size_t receive(const PacketBatch& batch, BatchPlace& at, Turn& turn,
                      SealedPackets& sealed) noexcept;

 private:
  /// The keypair that was found last: the packets of a train are mostly one peer's.
  struct Found {
    std::uint32_t receiver_index = 0;
    LanePeer* peer = nullptr;
    wg::LiveKeypair* keypair = nullptr;
    std::optional<ContextId> stranger;  // who owns it, if not this worker
  };

  /// Returns true if `datagram` was a handshake message that passed the gate.
  bool segment(ByteSpan datagram, const Train& train, Instant now, SealedPackets& sealed) noexcept;
  void data(ByteSpan datagram, const Train& train, Instant now, SealedPackets& sealed) noexcept;
  bool find(std::uint32_t receiver_index) noexcept;
  void not_found(ByteSpan datagram, const Train& train) noexcept;
  void drop(Drop reason) noexcept { counters_.drops.add(reason); }

  PeerTable& peers_;
  HandshakeGate& gate_;
  Strangers& strangers_;
  const ReceiverIndex& codec_;
  const SteeringTable& steering_;
  ContextId self_;
  DirectionCounters& counters_;
  AgeLimit age_limit_;
  Found found_;  // valid during one receive(): sessions change between two
};

}  // namespace tw::lane
