// Two lanes with their handshake contexts, joined in memory and in virtual time, for fuzz targets:
// what lane/test_machines.h is for unit tests, without their framework, with limits small enough to
// be reached. Most addresses are on the other side; some are nowhere.
#pragma once

#include <array>
#include <cstdint>

#include "base/assert.h"
#include "crypto/primitives.h"
#include "exec/manual_context.h"
#include "lane/tunnel.h"
#include "port/emulated/memory_port.h"

namespace tw::testing {

struct LaneMachine {
  static constexpr wg::PeerId only_peer{0};
  static constexpr std::size_t staged_packets = 24;

  LaneMachine(std::uint8_t number, const Clock& clock, crypto::AeadEngine& engine)
      : random(number),
        key(key_of(number)),
        context(ContextId{0}, clock),
        tunnel(std::array{lane::TunnelSeat{context, engine, tun}}, context, random, clock,
               {.sessions = {.peers = 4, .staged_packets = staged_packets},
                .receive_trains = 16,
                .tun_packets = 16}) {
    MemoryPort::join(tun, host);
    lane.set_udp_ports({&udp, nullptr});
    tunnel.handshakes().handshaker().set_private_key(key);
    lane.set_public_key(crypto::public_key_of(key));
    tunnel.attach();
  }

  void add(const LaneMachine& other) {
    TW_ASSERT(tunnel.handshakes().handshaker().add_peer(only_peer,
                                                        {crypto::public_key_of(other.key), {}}));
    lane.add_peer(only_peer);
    for (const char* prefix : {"0.0.0.0/1", "192.0.0.0/2", "::/1"}) {
      lane.allowed_ips().insert(*Prefix::parse(prefix), only_peer);
    }
    lane.set_endpoint(only_peer, *Endpoint::parse("192.0.2.9:51820"));
  }

  static crypto::PrivateKey key_of(std::uint8_t number) {
    crypto::PrivateKey key;
    key.span()[0] = number;
    return crypto::clamped(key);
  }

  SeededRandom random;
  crypto::PrivateKey key;
  ManualContext context;
  MemoryPort udp, tun, host;
  lane::Tunnel tunnel;
  lane::TunnelLane& lane = tunnel.lane(0);
};

struct LanePair {
  explicit LanePair(crypto::AeadEngine& engine) : left(1, clock, engine), right(2, clock, engine) {
    MemoryPort::join(left.udp, right.udp);
    left.add(right);
    right.add(left);
  }
  /// Until neither has anything to do at this time.
  void settle() {
    for (bool quiet = false; !quiet;) {
      TW_ASSERT(left.context.run_until_idle() && right.context.run_until_idle());
      quiet = left.udp.waiting() == 0 && right.udp.waiting() == 0;
    }
  }

  ManualClock clock;
  LaneMachine left, right;
};

}  // namespace tw::testing
