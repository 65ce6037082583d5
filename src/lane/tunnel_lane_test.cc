#include "lane/tunnel_lane.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "lane/test_machines.h"
#include "wire/message/wg_message.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using test::only_peer;
using test::Packets;

using TunnelLaneTest = test::TwoMachinesTest;

TEST_F(TunnelLaneTest, FirstPacketWaitsForTheHandshakeAndArrives) {
  const auto packet = ip_packet(1, 2, 100, 0xaa);
  left_.from_host(packet);
  settle();
  EXPECT_EQ(right_.to_host(), Packets{packet});
  expect_conserved();
}

TEST_F(TunnelLaneTest, ManyPacketsArriveInOrderBothWays) {
  left_.from_host(ip_packet(1, 2, 0, 0));
  settle();
  right_.to_host();
  Packets there, back;
  for (std::uint8_t i = 0; i < 200; ++i) {
    there.push_back(ip_packet(1, 2, i * 7U, i));
    back.push_back(ip_packet(2, 1, 1400U - i, i));
    left_.from_host(there.back());
    right_.from_host(back.back());
  }
  settle();
  EXPECT_EQ(right_.to_host(), there);
  EXPECT_EQ(left_.to_host(), back);
  expect_conserved();
}

// Handshakes, keepalives and data: what `wg show transfer` says of one end is what it says of the
// other.
TEST_F(TunnelLaneTest, EachEndCountsWhatTheOtherHasSent) {
  const auto expect_agreement = [&] {
    const LanePeerSnapshot left = left_.lane().snapshot(0, 1).at(0);
    const LanePeerSnapshot right = right_.lane().snapshot(0, 1).at(0);
    EXPECT_EQ(left.sent_bytes, right.received_bytes);
    EXPECT_EQ(right.sent_bytes, left.received_bytes);
    return left;
  };
  left_.from_host(ip_packet(1, 2, 100, 0));
  settle();
  LanePeerSnapshot left = expect_agreement();
  EXPECT_EQ(left.sent_bytes, wg_initiation_size + 128 + 32);
  EXPECT_EQ(left.received_bytes, wg_response_size);
  advance(11s);  // a keepalive answers
  EXPECT_EQ(expect_agreement().received_bytes, wg_response_size + 32);
  advance(120s);  // rekeys
  left_.from_host(ip_packet(1, 2, 100, 0));
  settle();
  left = expect_agreement();
  EXPECT_GE(left.sent_bytes, 2 * (wg_initiation_size + 128 + 32));
}

TEST_F(TunnelLaneTest, StagedPacketsAreBoundedAndExpire) {
  left_.udp().refuse_sends(ENETUNREACH);  // nobody will answer
  for (int i = 0; i < 200; ++i) left_.from_host(ip_packet(1, 2, 10, 1));
  settle();
  const DropCounters& drops = left_.counters().to_wire.drops;
  EXPECT_EQ(drops.of(Drop::stage_full), 200 - wg::staged_packets_max);
  expect_conserved(wg::staged_packets_max);
  advance(1s);
  left_.from_host(ip_packet(1, 2, 10, 1));
  settle();
  advance(wg::staged_wait_max - 1s);
  advance(20ms);  // the timers' tick
  EXPECT_EQ(drops.of(Drop::stage_expired), wg::staged_packets_max - 1);
  expect_conserved(1);
  for (int second = 0; second < 120; ++second) advance(1s);
  EXPECT_EQ(drops.of(Drop::stage_expired), wg::staged_packets_max);
  EXPECT_GT(drops.of(Drop::socket_error), 10U);  // the initiations, one each five seconds
  expect_conserved();
}

TEST_F(TunnelLaneTest, RefusesInnerSourcesOutsideAllowedIps) {
  left_.from_host(ip_packet(7, 2, 100, 0));  // the left host forges its source
  settle();
  EXPECT_TRUE(right_.to_host().empty());
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::not_allowed_ip), 1U);
  expect_conserved();
}

TEST_F(TunnelLaneTest, CountsWhatHasNoWay) {
  left_.from_host(ip_packet(1, 77, 10, 0));
  left_.from_host({0x45, 0, 0});
  right_.from_host(ip_packet(2, 1, 10, 0));  // the left's endpoint is not known yet
  settle();
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::no_route), 1U);
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::malformed_inner), 1U);
  EXPECT_EQ(right_.counters().to_wire.drops.of(Drop::no_endpoint), 1U);
  expect_conserved();
}

TEST_F(TunnelLaneTest, GarbageFromTheWireIsCountedAndHarmless) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  right_.to_host();
  Packets garbage{
      {}, {9}, {4, 0, 0, 0}, std::vector<std::uint8_t>(148, 1), std::vector<std::uint8_t>(32, 4)};
  garbage[4] = {4, 0, 0, 0};
  garbage[4].resize(64, 0x5a);  // data for an index nobody gave out
  garbage[3][1] = 1;            // an initiation with a reserved byte set
  std::vector<std::uint8_t> forged(148, 0);
  forged[0] = 1;  // an initiation without a mac1
  garbage.push_back(forged);
  for (auto& datagram : garbage) {
    Train train;
    train.bytes = datagram.data();
    train.length = train.segment_size = static_cast<std::uint32_t>(datagram.size());
    left_.udp().send({&train, 1});
  }
  settle();
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::no_keypair), 1U);
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::malformed), 4U);
  const auto packet = ip_packet(1, 2, 10, 3);
  left_.from_host(packet);
  settle();
  EXPECT_EQ(right_.to_host(), Packets{packet});
  expect_conserved();
}

TEST_F(TunnelLaneTest, RekeysUnderTrafficAndLosesNothing) {
  std::size_t sent = 0, arrived = 0;
  for (int second = 0; second < 400; ++second) {
    left_.from_host(ip_packet(1, 2, 50, 1));
    ++sent;
    settle();
    arrived += right_.to_host().size();
    clock_.advance(1s);
  }
  EXPECT_EQ(arrived, sent);
  expect_conserved();
}

TEST_F(TunnelLaneTest, AFullSocketAndADeadTunAreDropsWithReasons) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  left_.udp().refuse_sends(EAGAIN);
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::socket_full), 1U);
  left_.udp().refuse_sends(0);
  right_.tun().refuse_sends(EIO);
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::tun_error), 1U);
  expect_conserved();
}

TEST_F(TunnelLaneTest, ARemovedPeerIsGoneAndItsSlotStartsAfresh) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  right_.to_host();
  right_.lane().remove_peer(only_peer, clock_.now());
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  EXPECT_TRUE(right_.to_host().empty());
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::no_keypair), 1U);
  EXPECT_TRUE(right_.lane().snapshot(0, 10).empty());
  expect_conserved();
}

}  // namespace
}  // namespace tw::lane
