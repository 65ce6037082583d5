// A tunnel of two lanes, in memory and virtual time. For the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "lane/test_machines.h"
#include "lane/tunnel.h"

namespace tw::lane::test {

/// A tunnel of two lanes, each on a context of its own, and the handshakes on a third.
class TwoLanes {
 public:
  explicit TwoLanes(const Clock& clock)
      : first_(ContextId{0}, clock),
        second_(ContextId{1}, clock),
        handshakes_(ContextId{2}, clock),
        engine_(crypto::make_openssl_engine()),
        tunnel_(std::array{TunnelSeat{first_, *engine_, tun_[0]},
                           TunnelSeat{second_, *engine_, tun_[1]}},
                handshakes_, random_, clock) {
    tunnel_.handshakes().handshaker().set_private_key(key_);
    for (std::size_t number = 0; number < 2; ++number) {
      MemoryPort::join(tun_[number], host[number]);
      MemoryPort::join(udp_[number], wire[number]);
      tunnel_.lane(number).set_udp_ports({&udp_[number], nullptr});
      tunnel_.lane(number).set_public_key(crypto::public_key_of(key_));
    }
    tunnel_.attach();
  }
  void add_peer(wg::PeerId peer, const crypto::PublicKey& key, const std::string& prefix) {
    ASSERT_TRUE(tunnel_.handshakes().handshaker().add_peer(peer, {key, {}}));
    tunnel_.lane(tunnel_.lane_of(peer)).add_peer(peer);
    for (std::size_t number = 0; number < 2; ++number) {
      tunnel_.lane(number).allowed_ips().insert(*Prefix::parse(prefix), peer);
    }
  }
  void run() {
    for (int turn = 0; turn < 5; ++turn) {
      for (ManualContext* context : {&first_, &second_, &handshakes_}) context->run_until_idle();
    }
  }
  /// Some peer of this lane, and another for each `skip`.
  wg::PeerId peer_of(std::size_t lane, std::uint32_t skip = 0) const {
    for (std::uint32_t slot = 0;; ++slot) {
      if (tunnel_.lane_of(wg::PeerId{slot}) == lane && skip-- == 0) return wg::PeerId{slot};
    }
  }
  ManualContext& context(std::size_t lane) { return lane == 0 ? first_ : second_; }
  const LaneCounters& counters(std::size_t lane) const { return tunnel_.lane(lane).counters(); }
  crypto::PublicKey public_key() const { return crypto::public_key_of(key_); }
  Tunnel& tunnel() { return tunnel_; }

 private:
  SeededRandom random_{3};
  ManualContext first_, second_, handshakes_;
  std::unique_ptr<crypto::AeadEngine> engine_;
  crypto::PrivateKey key_ = crypto::generate_private_key();
  std::array<MemoryPort, 2> tun_, udp_;

 public:
  std::array<MemoryPort, 2> host, wire;

 private:
  Tunnel tunnel_;
};

}  // namespace tw::lane::test
