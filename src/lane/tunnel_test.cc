// Tests a tunnel of several lanes: each peer has one, whatever socket its messages come to.
#include "lane/tunnel.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "lane/test_machines.h"
#include "lane/test_two_lanes.h"

namespace tw::lane {
namespace {

using test::ip_packet, test::TwoLanes;

class TunnelTest : public testing::Test {
 protected:
  TunnelTest() {
    MemoryPort::join(client_udp_, wire_);
    MemoryPort::join(client_tun_, client_host_);
    client_.handshakes().handshaker().set_private_key(client_key_);
    client_.lane(0).set_udp_ports({&client_udp_, nullptr});
    client_.lane(0).set_public_key(crypto::public_key_of(client_key_));
    client_.attach();
    EXPECT_TRUE(
        client_.handshakes().handshaker().add_peer(test::only_peer, {gateway_.public_key(), {}}));
    client_.lane(0).add_peer(test::only_peer);
    client_.lane(0).allowed_ips().insert(*Prefix::parse("10.0.0.9"), test::only_peer);
    client_.lane(0).set_endpoint(test::only_peer, *Endpoint::parse("192.0.2.9:51820"));
  }
  /// Moves all trains that wait at `from` to the far end of `to`; returns their number.
  static std::size_t carry(MemoryPort& from, MemoryPort& to) {
    PacketBatch batch{64, 65536};
    from.poll(batch);
    for (Train& train : batch.trains()) {
      train.source = *Endpoint::parse("192.0.2.1:1001");
      EXPECT_EQ(to.send({&train, 1}).taken, 1U);
    }
    return batch.size();
  }
  void client_sends() {
    std::vector<std::uint8_t> packet = ip_packet(1, 9, 8, 0x11);
    Train train;
    train.bytes = packet.data();
    train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
    ASSERT_EQ(client_host_.send({&train, 1}).taken, 1U);
    client_context_.run_until_idle();
  }

  ManualClock clock_;
  TwoLanes gateway_{clock_};
  SeededRandom random_{4};
  ManualContext client_context_{ContextId{0}, clock_};
  std::unique_ptr<crypto::AeadEngine> engine_ = crypto::make_openssl_engine();
  crypto::PrivateKey client_key_ = crypto::generate_private_key();
  MemoryPort client_udp_, client_tun_, client_host_, wire_;
  Tunnel client_{std::array{TunnelSeat{client_context_, *engine_, client_tun_}}, client_context_,
                 random_, clock_};
};

TEST_F(TunnelTest, PeersAreSpreadOverTheLanes) {
  std::array<std::uint32_t, 2> peers{};
  for (std::uint32_t slot = 0; slot < Bucket::count; ++slot) {
    ++peers[gateway_.tunnel().lane_of(wg::PeerId{slot})];
  }
  EXPECT_EQ(peers[0], peers[1]);
}

TEST_F(TunnelTest, ASessionIsItsOwnersWhateverSocketTheHandshakeCameTo) {
  const wg::PeerId peer = gateway_.peer_of(1);
  gateway_.add_peer(peer, crypto::public_key_of(client_key_), "10.0.0.1");
  client_sends();
  // The kernel hashes an initiation to any socket; here to that of the lane that has not the peer.
  ASSERT_EQ(carry(wire_, gateway_.wire[0]), 1U);
  gateway_.run();
  EXPECT_EQ(carry(gateway_.wire[0], wire_), 0U);
  ASSERT_EQ(carry(gateway_.wire[1], wire_), 1U) << "the owner answers";
  client_context_.run_until_idle();
  // Its session is the owner's; what comes to the other lane is passed on.
  client_sends();
  ASSERT_GT(carry(wire_, gateway_.wire[0]), 0U);
  gateway_.run();
  EXPECT_EQ(gateway_.host[0].waiting(), 0U);
  EXPECT_GT(gateway_.host[1].waiting(), 0U);
  EXPECT_EQ(gateway_.counters(0).from_wire.drops.total(), 0U);
}

TEST_F(TunnelTest, WhatALaneAsksForIsAnsweredToIt) {
  const wg::PeerId peer = gateway_.peer_of(1);
  gateway_.add_peer(peer, crypto::public_key_of(client_key_), "10.0.0.1");
  gateway_.tunnel().lane(1).set_endpoint(peer, *Endpoint::parse("192.0.2.1:1001"));
  ASSERT_TRUE(
      gateway_.tunnel().lane(1).greet(peer, *Endpoint::parse("192.0.2.1:1001"), {}, clock_.now()));
  gateway_.run();
  EXPECT_EQ(gateway_.wire[0].waiting(), 0U);
  EXPECT_EQ(gateway_.wire[1].waiting(), 1U);
  EXPECT_EQ(gateway_.tunnel().handshakes().counters().initiations_sent.value(), 1U);
}

}  // namespace
}  // namespace tw::lane
