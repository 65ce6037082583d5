// From the wire: classify → open → check → deliver. All segments of one receive call are opened in
// one batch, whosever they are, and then delivered in the order they came.
#pragma once

#include <cstdint>
#include <vector>

#include "crypto/aead_engine.h"
#include "lane/counters.h"
#include "lane/peer_table.h"
#include "port/port.h"
#include "steer/steering_table.h"
#include "wire/wg_message.h"

namespace tw::lane {

/// What the receive pipeline hands up.
class ReceiveEvents {
 public:
  virtual ~ReceiveEvents() = default;
  /// A handshake message or cookie reply. False: it could not be taken (the ring is full).
  virtual bool handshake_message(ByteView message, const Endpoint& from) noexcept = 0;
  /// A packet of this peer has authenticated, and its session has said what follows from that.
  virtual void session_event(LanePeer& peer, const wg::SessionActions& actions,
                             const wg::ReleasedIndices& released) noexcept = 0;
};

class ReceivePipeline {
 public:
  /// Segments opened together. A receive call may bring more: they are opened in several batches.
  static constexpr std::size_t jobs_capacity = 256;

  ReceivePipeline(PeerTable& peers, crypto::AeadEngine& engine, LaneCounters& counters,
                  ReceiveEvents& events);

  /// Which buckets are this worker's. Both must outlive this.
  void set_steering(const ReceiverIndex& codec, const SteeringTable& table,
                    ContextId self) noexcept;
  /// Where opened packets go.
  void set_tun(Port& tun) noexcept { tun_ = &tun; }

  /// Handles all segments of a batch that a UDP port has filled, in place.
  void receive(PacketBatch& batch, Instant now) noexcept;

 private:
  struct Arrival {
    std::uint32_t receiver_index;
    std::uint32_t datagram_bytes;
    const Endpoint* from;  // of its train
  };

  void segment(ByteSpan datagram, const Endpoint& from, Instant now) noexcept;
  void data(ByteSpan datagram, const Endpoint& from, Instant now) noexcept;
  void open_and_deliver(Instant now) noexcept;
  void deliver(const Arrival& arrival, const crypto::AeadJob& job, Instant now) noexcept;
  void deliver_inner(LanePeer& peer, ByteSpan plaintext) noexcept;
  void write_tun() noexcept;
  void drop(Drop reason) noexcept { counters_.from_wire.drops.add(reason); }

  PeerTable& peers_;
  crypto::AeadEngine& engine_;
  LaneCounters& counters_;
  ReceiveEvents& events_;
  const ReceiverIndex* codec_ = nullptr;
  const SteeringTable* table_ = nullptr;
  ContextId self_;
  Port* tun_ = nullptr;
  std::vector<crypto::AeadJob> jobs_;
  std::vector<Arrival> arrivals_;  // of the job with the same index
  PacketBatch to_tun_{jobs_capacity};
};

}  // namespace tw::lane
