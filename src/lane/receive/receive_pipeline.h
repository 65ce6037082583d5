// From the wire: classify → open → check → join → deliver. All segments of one receive call are
// opened in one batch, whosever they are, then checked in the order they came; neighbours of one
// inner flow are joined into a train and cross the TUN in one write.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "crypto/aead_engine.h"
#include "lane/counters.h"
#include "lane/peers/held_syns.h"
#include "lane/peers/peer_table.h"
#include "lane/receive/age_limit.h"
#include "lane/turn_budget.h"
#include "port/port.h"
#include "steer/steering_table.h"
#include "wire/message/wg_message.h"
#include "wire/offload/coalescer.h"

namespace tw::lane {

/// What the receive pipeline hands up.
class ReceiveEvents {
 public:
  virtual ~ReceiveEvents() = default;
  /// A handshake message or cookie reply that came in `train`. Empty if it was taken, else why not.
  virtual std::optional<Drop> handshake_message(ByteView message, const Train& train) noexcept = 0;
  /// A packet of this peer has authenticated, and its session has said what follows from that.
  virtual void session_event(LanePeer& peer, const wg::SessionActions& actions,
                             const wg::ReleasedIndices& released) noexcept = 0;
  /// Packets of this peer have authenticated: its timers may have moved.
  virtual void session_touched(LanePeer& peer) noexcept = 0;
};

class ReceivePipeline {
 public:
  /// Segments opened together. A receive call may bring more: they are opened in several batches.
  static constexpr std::size_t jobs_capacity = 256;

  /// All must outlive this. `syns` gets to see what comes out of the tunnel before the TUN does.
  ReceivePipeline(PeerTable& peers, crypto::AeadEngine& engine, LaneCounters& counters,
                  HeldSyns& syns, ReceiveEvents& events);

  /// Which buckets are this worker's. Both must outlive this.
  void set_steering(const ReceiverIndex& codec, const SteeringTable& table,
                    ContextId self) noexcept;
  /// Where opened packets go. `kinds`: what it takes as trains.
  void set_tun(Port& tun, CoalescerKinds kinds) noexcept {
    tun_ = &tun;
    coalescer_.set_kinds(kinds);
  }
  /// What of that it has not refused so far.
  CoalescerKinds tun_takes() const noexcept { return coalescer_.kinds(); }

  /// How long transport data may wait in a socket (Train::age) for good; zero: any time.
  void set_queue_limit(Duration limit) noexcept { age_limit_ = AgeLimit{limit}; }

  /// A poll of all ports begins.
  void begin(Instant now) noexcept { age_limit_.begin(now); }
  /// Handles segments of a batch that a UDP port has filled, in place, from `at` on, and moves `at`
  /// behind them, to the end of the batch or of the turn. No other batch may be begun before this
  /// one's end.
  void receive(PacketBatch& batch, BatchPlace& at, TurnBudget& turn, Instant now) noexcept;

 private:
  struct Arrival {
    LanePeer* peer;  // these two as long as keypairs_moved_ is false
    wg::LiveKeypair* keypair;
    std::uint32_t receiver_index;
    std::uint32_t datagram_bytes;
    const Train* train;
  };
  /// The packets of a train are mostly one peer's, so the last one found is tried first.
  struct Found {
    std::uint32_t receiver_index = 0;
    LanePeer* peer = nullptr;
    wg::LiveKeypair* keypair = nullptr;
  };
  /// The same for the source address that was last seen to be among a peer's allowed IPs.
  struct Allowed {
    const LanePeer* peer = nullptr;
    std::size_t size = 0;
    std::array<std::uint8_t, 16> source{};
  };

  void segment(ByteSpan datagram, const Train& train, Instant now) noexcept;
  void data(ByteSpan datagram, const Train& train, Instant now) noexcept;
  bool find(std::uint32_t receiver_index) noexcept;
  void open_and_deliver(Instant now) noexcept;
  void deliver(const Arrival& arrival, const crypto::AeadJob& job, Instant now) noexcept;
  void touch(LanePeer* peer) noexcept;
  void deliver_inner(LanePeer& peer, ByteSpan plaintext, std::uint8_t outer_class) noexcept;
  bool is_allowed(const LanePeer& peer, ByteView source) noexcept;
  void write_tun() noexcept;
  void write_singly(const JoinedPackets& joined) noexcept;
  void count_sent(const JoinedPackets& joined) noexcept;
  void drop(Drop reason) noexcept { counters_.from_wire.drops.add(reason); }

  PeerTable& peers_;
  crypto::AeadEngine& engine_;
  LaneCounters& counters_;
  HeldSyns& syns_;
  ReceiveEvents& events_;
  const ReceiverIndex* codec_ = nullptr;
  const SteeringTable* table_ = nullptr;
  ContextId self_;
  Port* tun_ = nullptr;
  std::vector<crypto::AeadJob> jobs_;
  std::vector<Arrival> arrivals_;  // of the job with the same index
  Found found_;
  Allowed allowed_;
  LanePeer* touched_ = nullptr;  // its timers are still to be looked at
  AgeLimit age_limit_;
  bool keypairs_moved_ = false;  // by a packet of the batch that is being delivered
  Coalescer coalescer_;
  std::vector<Train> to_tun_;
};

}  // namespace tw::lane
