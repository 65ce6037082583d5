// To the wire: split → checksum → seal → send. A packet or train from the TUN is copied, segment by
// segment and checksummed on the way, behind a WireGuard header each; what lies side by side for
// one peer leaves as one train. Everything queued, whosever it is, is sealed in one batch: flush().
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "crypto/aead_engine.h"
#include "lane/counters.h"
#include "lane/peers/peer_table.h"
#include "lane/transmit/dscp_policy.h"
#include "port/port.h"
#include "wire/offload/gso.h"

namespace tw::lane {

/// The sockets of one worker. Null: that family is not served.
struct UdpPorts {
  Port* v4 = nullptr;
  Port* v6 = nullptr;
};

class TransmitPipeline {
 public:
  /// Segments sealed together.
  static constexpr std::size_t batch_capacity = 128;
  /// Sealed bytes between two flushes: with what they were made of, half of a small second-level
  /// cache.
  static constexpr std::size_t arena_bytes = std::size_t{256} << 10U;

  TransmitPipeline(crypto::AeadEngine& engine, LaneCounters& counters);

  void set_ports(UdpPorts ports) noexcept { ports_ = ports; }
  /// Largest inner packet: padding never grows a packet beyond it (whitepaper, section 5.4.6).
  void set_mtu(std::uint32_t mtu) noexcept { mtu_ = mtu; }

  void set_dscp(DscpPolicy policy) noexcept { dscp_ = policy; }

  bool idle() const noexcept { return jobs_.empty(); }
  /// True if a segment of this many inner bytes has to wait for a flush().
  bool full(std::size_t inner_bytes) const noexcept;
  /// True if a datagram cannot carry so many inner bytes.
  static bool too_large(std::size_t inner_bytes) noexcept;
  /// The most that is not too_large().
  static std::uint32_t largest_inner() noexcept;
  /// The fields that the outer headers of a packet's segments copy from it, read once a packet.
  struct Outer {
    std::uint8_t traffic_class;
    std::uint8_t hop_limit;
  };
  Outer outer_of(const GsoView& packet) const noexcept;
  /// One segment of a packet that is the caller's again at once. Not when full() or too_large().
  /// The slot is the session's and must be sealed, so the keypair must live until flush(); the peer
  /// must have an endpoint. `outer` is the packet's.
  void queue(LanePeer& peer, const wg::Session::SealSlot& slot, const GsoView& packet,
             std::size_t segment, Outer outer) noexcept;
  /// An empty packet; counted as generated here. Not when full(0).
  void queue_keepalive(LanePeer& peer, const wg::Session::SealSlot& slot) noexcept;

  /// Seals and sends what is queued. Calls sent(peer, is_keepalive) for each train that left.
  template <typename Sent>
  void flush(Sent&& sent) noexcept {
    if (jobs_.empty()) return;
    seal_and_send();
    for (const Pending& pending : pending_) {
      if (pending.left) sent(*pending.peer, pending.is_keepalive);
    }
    pending_.clear();
  }

  /// A handshake message, at once and as it is. Counted as generated here.
  void send_handshake(const Endpoint& to, const LocalAddress& local, ByteView message,
                      LanePeer* peer) noexcept;

 private:
  struct Pending {
    LanePeer* peer;
    Train train;
    bool is_keepalive;
    bool left;
  };
  /// The trains of one address family, and which pending one each is.
  struct Outgoing {
    std::vector<Train> trains;
    std::vector<std::size_t> pending;
  };

  void append(LanePeer& peer, const wg::Session::SealSlot& slot, std::uint32_t inner,
              Outer outer) noexcept;
  bool extend(const LanePeer& peer, std::uint32_t datagram, Outer outer) noexcept;
  void seal_and_send() noexcept;
  void send_family(Port* port, Outgoing& outgoing) noexcept;
  void forget_source(Outgoing& outgoing, std::size_t first) noexcept;
  void note_sent(Pending& pending, std::size_t segments, std::size_t bytes) noexcept;
  void drop(Drop reason) noexcept { counters_.to_wire.drops.add(reason); }

  crypto::AeadEngine& engine_;
  LaneCounters& counters_;
  UdpPorts ports_;
  std::uint32_t mtu_ = 1420;
  DscpPolicy dscp_ = DscpPolicy::clear();
  std::vector<crypto::AeadJob> jobs_;
  std::vector<Pending> pending_;
  Outgoing v4_, v6_;
  std::unique_ptr<std::uint8_t[]> arena_;
  std::size_t arena_used_ = 0;
};

}  // namespace tw::lane
