// Trains through a tunnel: whatever was a train on the way, the far host has the packets that it
// would have had without offloads.
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "lane/test_machines.h"
#include "wire/ip/test_packet.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using test::Packets;
using Train = tw::test::Train;

class TunnelTrainsTest : public test::TwoMachinesTest {
 protected:
  void SetUp() override {
    left_.allow("192.168.7.9");  // test_packet.h sends from 10.1.2.3 to here
    left_.allow("3030::/12");
    right_.allow("10.1.2.3");
    right_.allow("2000::/3");
    left_.from_host(ip_packet(1, 2, 0, 0));
    settle();
    right_.to_host();
  }
  Packets plain(const Train& train) {
    Packets packets;
    for (std::size_t i = 0; i < train.segments(); ++i) packets.push_back(train.packet(i, 1, true));
    return packets;
  }
};

Train tcp_train(std::size_t segments) {
  Train train;
  train.gso_size = 1368;
  train.tcp_options = 12;
  train.payload.resize(segments * train.gso_size, 0x33);
  return train;
}

TEST_F(TunnelTrainsTest, ATrainIsOneSendAndOneWrite) {
  const Train train = tcp_train(40);
  left_.from_host(train.whole(), train.vnet());
  left_.context().run_until_idle();
  EXPECT_EQ(right_.udp().waiting(), 1U);
  settle();
  EXPECT_EQ(right_.to_host(), plain(train));
  EXPECT_EQ(right_.trains_to_host(), 1U);
  EXPECT_EQ(right_.counters().from_wire.sent.value(), 40U + 1U);
  expect_conserved();
}

TEST_F(TunnelTrainsTest, AnyTrainArrivesAsThePacketsItStandsFor) {
  for (std::uint64_t seed = 0; seed < 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random{seed};
    Packets sent;
    for (int i = 0; i < 3; ++i) {
      const Train train = tw::test::random_train(random);
      left_.from_host(train.whole(), train.vnet());
      const Packets packets = plain(train);
      sent.insert(sent.end(), packets.begin(), packets.end());
      settle();
    }
    Packets came;
    while (right_.tun_waiting() > 0) {
      const Packets part = right_.to_host();
      came.insert(came.end(), part.begin(), part.end());
    }
    EXPECT_EQ(came, sent);
    expect_conserved();
  }
}

TEST_F(TunnelTrainsTest, LonePacketsOfOnePeerShareASend) {
  Packets sent;
  for (std::uint8_t i = 0; i < 20; ++i) {
    sent.push_back(ip_packet(1, 2, i < 19 ? 1000 : 500, i));
    left_.from_host(sent.back());
  }
  left_.context().run_until_idle();
  EXPECT_EQ(right_.udp().waiting(), 1U);
  settle();
  EXPECT_EQ(right_.to_host(), sent);
}

TEST_F(TunnelTrainsTest, ATrainThatFindsNoKeypairWaitsInPieces) {
  right_.lane().clear_sessions(clock_.now());
  left_.lane().clear_sessions(clock_.now());
  advance(10s);
  const Train train = tcp_train(20);
  left_.from_host(train.whole(), train.vnet());
  settle();
  EXPECT_EQ(right_.to_host(), plain(train));
  expect_conserved();
}

TEST_F(TunnelTrainsTest, ATunThatRefusesTrainsGetsPackets) {
  const Train train = tcp_train(10);
  right_.tun().refuse_trains(EINVAL);
  for (int i = 0; i < 2; ++i) {
    left_.from_host(train.whole(), train.vnet());
    settle();
    EXPECT_EQ(right_.to_host(), plain(train));
    EXPECT_EQ(right_.trains_to_host(), 10U);
  }
  EXPECT_EQ(right_.counters().from_wire.drops.total(), 0U);
  expect_conserved();
}

TEST_F(TunnelTrainsTest, WhatWasMarkedOnTheWayArrivesMarked) {
  Train train = tcp_train(5);
  train.tos = 2;  // ECT(0): the outer header says so too
  left_.from_host(train.whole(), train.vnet());
  left_.context().run_until_idle();
  right_.udp().mark_waiting([](tw::Train& datagrams) {
    EXPECT_EQ(datagrams.traffic_class, 2);
    datagrams.traffic_class = 3;
  });
  settle();
  train.tos = 3;
  EXPECT_EQ(right_.to_host(), plain(train));

  train.tos = 0;  // a sender that would not understand the mark
  left_.from_host(train.whole(), train.vnet());
  left_.context().run_until_idle();
  right_.udp().mark_waiting([](tw::Train& datagrams) { datagrams.traffic_class = 3; });
  settle();
  EXPECT_TRUE(right_.to_host().empty());
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::congestion), 5U);
  expect_conserved();
}

TEST_F(TunnelTrainsTest, HalfATrainThatLeftIsCountedAsHalf) {
  const Train train = tcp_train(10);
  left_.udp().refuse_after_segments(4, EAGAIN);
  left_.from_host(train.whole(), train.vnet());
  settle();
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::socket_full), 6U);
  EXPECT_EQ(right_.to_host().size(), 4U);
  expect_conserved();
}

TEST_F(TunnelTrainsTest, WhatNoDatagramCanCarryIsDropped) {
  left_.from_host(ip_packet(1, 2, 65'480, 0));
  settle();
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::too_large), 1U);
  EXPECT_TRUE(right_.to_host().empty());
  expect_conserved();
}

}  // namespace
}  // namespace tw::lane
