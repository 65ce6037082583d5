// The third stage of the receive side: opened packets in, session events out. Each packet is
// checked in the order of arrival (tag, replay window, inner header, allowed IPs, congestion
// marks); what passes goes to the TUN, or is held as a SYN. Sessions are told at once, but what
// they ask for is left to the caller.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "lane/counters.h"
#include "lane/peers/held_syns.h"
#include "lane/peers/peer_table.h"
#include "lane/receive/received_packets.h"
#include "lane/receive/tun_writer.h"

namespace tw::lane {

class DeliverStage {
 public:
  /// All must outlive the stage. `syns` sees what comes out of the tunnel before the TUN does.
  DeliverStage(PeerTable& peers, HeldSyns& syns, TunWriter& tun,
               DirectionCounters& counters) noexcept
      : peers_(peers), syns_(syns), tun_(tun), counters_(counters) {}

  /// Appends to `events`, which must have room for one a packet.
  void deliver(const OpenedPackets& opened, Instant now, SessionEvents& events) noexcept;

 private:
  /// The source address that was last seen to be among a peer's allowed IPs.
  struct Allowed {
    const LanePeer* peer = nullptr;
    std::size_t size = 0;
    std::array<std::uint8_t, 16> source{};
  };

  void packet(const crypto::AeadJob& job, const Arrival& arrival, Instant now,
              SessionEvents& events) noexcept;
  void inner(const LanePeer& peer, ByteSpan plaintext, std::uint8_t outer_class) noexcept;
  bool is_allowed(const LanePeer& peer, ByteView source) noexcept;
  void drop(Drop reason) noexcept { counters_.drops.add(reason); }

  PeerTable& peers_;
  HeldSyns& syns_;
  TunWriter& tun_;
  DirectionCounters& counters_;
  Allowed allowed_;  // valid during one deliver(): allowed IPs change between two
};

}  // namespace tw::lane
