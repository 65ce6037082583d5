// From the wire, on one context: receive → open → deliver, one stage after the other, each with the
// packets of the one before as a value. What the sessions ask for is done when a batch has been
// delivered, by whoever drains the events.
#pragma once

#include <cstddef>

#include "crypto/aead_engine.h"
#include "exec/turn.h"
#include "lane/counters.h"
#include "lane/handshake/handshake_gate.h"
#include "lane/peers/held_syns.h"
#include "lane/peers/peer_table.h"
#include "lane/receive/deliver_stage.h"
#include "lane/receive/open_stage.h"
#include "lane/receive/receive_stage.h"
#include "lane/receive/received_packets.h"
#include "lane/receive/tun_writer.h"
#include "port/batch_place.h"
#include "port/port.h"

namespace tw::lane {

/// The parts that a receive pipeline works with. All must outlive it.
struct ReceiveParts {
  PeerTable& peers;
  HandshakeGate& gate;
  Strangers& strangers;
  HeldSyns& syns;
  crypto::AeadEngine& engine;
  Port& tun;
  const ReceiverIndex& codec;
  const SteeringTable& steering;
  ContextId self;
};

class ReceivePipeline {
 public:
  /// Segments opened together. A batch of a port may bring more: it takes several calls.
  static constexpr std::size_t batch_capacity = 256;

  ReceivePipeline(const ReceiveParts& parts, LaneCounters& counters)
      : tun_(parts.tun, counters.from_wire, batch_capacity),
        receive_(parts.peers, parts.gate, parts.strangers, parts.codec, parts.steering, parts.self,
                 counters.from_wire),
        open_(parts.engine, counters),
        deliver_(parts.peers, parts.syns, tun_, counters.from_wire) {}

  /// Limits how long transport data may wait in a socket (Train::age) for good; zero: any time.
  void set_queue_limit(Duration limit) noexcept { receive_.set_queue_limit(limit); }
  /// A poll of all ports begins.
  void begin(Instant now) noexcept { receive_.begin(now); }

  /// Handles segments of `batch` from `at` on, in place, as many as the turn allows and are opened
  /// together, and moves `at` behind them. The events must be drained before the next call. Returns
  /// the handshake messages that passed the gate.
  std::size_t receive(const PacketBatch& batch, BatchPlace& at, Turn& turn) noexcept {
    const std::size_t handshake_messages = receive_.receive(batch, at, turn, packets_);
    if (!packets_.empty()) deliver_.deliver(open_.open(packets_), turn.now(), events_);
    packets_.clear();
    return handshake_messages;
  }
  SessionEvents& events() noexcept { return events_; }

 private:
  TunWriter tun_;
  ReceiveStage receive_;
  OpenStage open_;
  DeliverStage deliver_;
  SealedPackets packets_{batch_capacity};
  SessionEvents events_{batch_capacity};
};

}  // namespace tw::lane
