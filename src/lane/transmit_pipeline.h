// To the wire: look up → seal → send. Packets are queued where they lie and sealed in one batch,
// which may span peers; flush() sends them.
#pragma once

#include <cstdint>
#include <vector>

#include "crypto/aead_engine.h"
#include "lane/counters.h"
#include "lane/peer_table.h"
#include "port/port.h"

namespace tw::lane {

/// The sockets of one worker. Null: that family is not served.
struct UdpPorts {
  Port* v4 = nullptr;
  Port* v6 = nullptr;
};

class TransmitPipeline {
 public:
  static constexpr std::size_t batch_capacity = 128;

  TransmitPipeline(crypto::AeadEngine& engine, LaneCounters& counters);

  void set_ports(UdpPorts ports) noexcept { ports_ = ports; }
  /// Largest inner packet: padding never grows a packet beyond it (whitepaper, section 5.4.6).
  void set_mtu(std::uint32_t mtu) noexcept { mtu_ = mtu; }

  /// True if queue() has to wait for a flush().
  bool full() const noexcept { return jobs_.size() == batch_capacity; }
  bool idle() const noexcept { return jobs_.empty(); }
  /// `packet` has a PacketBatch's head- and tailroom around it and stays untouched until flush().
  /// The slot is the session's; the peer must have an endpoint.
  void queue(LanePeer& peer, const wg::Session::SealSlot& slot, ByteSpan packet) noexcept;
  /// An empty packet; counted as generated here.
  void queue_keepalive(LanePeer& peer, const wg::Session::SealSlot& slot) noexcept;

  /// Seals and sends what is queued. Calls sent(peer, is_keepalive) for each that left.
  template <typename Sent>
  void flush(Sent&& sent) noexcept {
    if (jobs_.empty()) return;
    seal_and_send();
    for (const Pending& pending : pending_) {
      if (pending.left) sent(*pending.peer, pending.is_keepalive);
    }
    pending_.clear();
    keepalives_ = 0;
  }

  /// A handshake message, at once and as it is. Counted as generated here.
  void send_handshake(const Endpoint& to, ByteView message, LanePeer* peer) noexcept;

 private:
  struct Pending {
    LanePeer* peer;
    Train train;
    bool is_keepalive;
    bool left;
  };
  /// The trains of one address family, and which pending packet each is.
  struct Outgoing {
    std::vector<Train> trains;
    std::vector<std::size_t> pending;
  };

  void seal_and_send() noexcept;
  void send_family(Port* port, Outgoing& outgoing) noexcept;
  void drop(Drop reason) noexcept { counters_.to_wire.drops.add(reason); }

  crypto::AeadEngine& engine_;
  LaneCounters& counters_;
  UdpPorts ports_;
  std::uint32_t mtu_ = 1420;
  std::vector<crypto::AeadJob> jobs_;
  std::vector<Pending> pending_;
  Outgoing v4_, v6_;
  PacketBatch keepalive_buffers_;
  std::size_t keepalives_ = 0;
};

}  // namespace tw::lane
