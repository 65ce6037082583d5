// Tests how much a lane does in one turn, with everything that it takes from full to the brim.
#include <gtest/gtest.h>

#include "lane/test_machines.h"
#include "wire/ip/test_packet.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using Train = tw::test::Train;

class FullLaneTest : public test::TwoMachinesTest {
 protected:
  static constexpr std::size_t budget = 256;
  static constexpr std::size_t trains = 100, segments = 64;

  FullLaneTest() {
    for (std::size_t i = 0; i < near_.size(); ++i) MemoryPort::join(near_[i], far_[i]);
  }
  void SetUp() override {
    left_.allow("192.168.7.9");  // test_packet.h sends from 10.1.2.3 to here
    right_.allow("10.1.2.3");
    left_.from_host(ip_packet(1, 2, 0, 0));
    settle();
    right_.to_host();
  }

  /// A train of 64 datagrams that are no messages.
  static void flood(MemoryPort& port) {
    std::vector<std::uint8_t> bytes(segments * 32, 0xee);
    tw::Train train;
    train.bytes = bytes.data();
    train.length = static_cast<std::uint32_t>(bytes.size());
    train.segment_size = 32;
    for (std::size_t i = 0; i < trains; ++i) ASSERT_EQ(port.send({&train, 1}).taken, 1U);
  }
  void flood_all_sockets() {
    left_.lane().set_udp_ports({&near_[0], &near_[1]}, {&near_[2], &near_[3]});
    for (MemoryPort& port : far_) flood(port);
  }
  void fill_tun(std::size_t packets = trains) {
    Train train;
    train.tcp = false;
    train.gso_size = 10;
    train.payload.resize(segments * train.gso_size, 0x33);
    for (std::size_t i = 0; i < packets; ++i) left_.from_host(train.whole(), train.vnet());
  }
  std::uint64_t from_wire() const { return left_.counters().from_wire.received.value(); }
  std::uint64_t from_tun() const { return left_.counters().to_wire.received.value(); }
  /// Returns `budget` if the turn is over, as in NAPI.
  std::size_t poll() {
    const Work work = left_.lane().poll(clock_.now(), budget);
    return work.more ? budget : work.packets;
  }

  std::array<MemoryPort, 4> near_, far_;
};

TEST_F(FullLaneTest, OneBudgetHoldsForAllItTakesFrom) {
  flood_all_sockets();
  fill_tun();
  std::size_t turns = 0;
  while (true) {
    const std::uint64_t before = from_wire() + from_tun();
    const std::size_t handled = poll();
    const std::uint64_t came = from_wire() + from_tun() - before;
    ASSERT_LE(came, budget);
    ASSERT_LE(handled, budget);
    if (handled < budget) break;
    ASSERT_GT(came, 0U) << "a turn that is over has done something";
    ++turns;
  }
  EXPECT_EQ(left_.counters().from_wire.drops.of(Drop::malformed), 4 * trains * segments);
  EXPECT_EQ(from_tun(), trains * segments + 1);
  EXPECT_LE(turns, 5 * trains * segments / budget + 5);
}

TEST_F(FullLaneTest, ItsContextAccountsAllItTakesFrom) {
  const ContextCounters& accounted = left_.context().counters();
  const std::uint64_t packets = accounted.packets.value(), bytes = accounted.bytes.value();
  flood_all_sockets();
  fill_tun();
  const std::uint64_t before = left_.counters().to_wire.received_bytes.value();
  ASSERT_TRUE(left_.context().run_until_idle());
  EXPECT_EQ(accounted.packets.value() - packets, 5 * trains * segments);
  EXPECT_EQ(accounted.bytes.value() - bytes,
            4 * trains * segments * 32 + left_.counters().to_wire.received_bytes.value() - before);
}

// Whoever is flooded, each of the others has a turn that begins with it.
TEST_F(FullLaneTest, NothingStarvesBesideAFlood) {
  flood_all_sockets();
  fill_tun();
  std::array<std::size_t, 4> waiting{};
  const std::uint64_t tun_before = from_tun();
  for (int turn = 0; turn < 32; ++turn) poll();
  for (std::size_t i = 0; i < near_.size(); ++i) {
    waiting[i] = near_[i].waiting();
    EXPECT_LT(waiting[i], trains) << "socket " << i;
  }
  const std::uint64_t sent = from_tun() - tun_before;
  EXPECT_GE(sent, 12 * budget) << "half of the turns, about";
  EXPECT_LE(sent, 20 * budget);
}

TEST_F(FullLaneTest, TimersRunBesideAFlood) {
  left_.lane().set_persistent_keepalive(test::only_peer, 5s, clock_.now());
  const std::uint64_t generated = left_.counters().to_wire.generated.value();
  flood_all_sockets();
  clock_.advance(6s);
  for (int turn = 0; turn < 5; ++turn) poll();
  EXPECT_EQ(left_.counters().to_wire.generated.value(), generated + 1);
}

TEST_F(FullLaneTest, ALoneTrainLongerThanATurnArrivesWhole) {
  Train train;
  train.tcp = false;
  train.gso_size = 2;
  train.payload.resize(1001, 0x5a);
  left_.from_host(train.whole(), train.vnet());
  const std::uint64_t before = from_tun();
  EXPECT_EQ(poll(), budget);
  EXPECT_EQ(from_tun() - before, budget);
  EXPECT_FALSE(left_.lane().arm()) << "there is more, and no descriptor that says so";
  settle();
  std::size_t came = 0;
  for (const auto& packet : right_.to_host()) {
    ASSERT_LT(came, train.segments());
    EXPECT_EQ(packet, train.packet(came++, 1, true));
  }
  EXPECT_EQ(came, train.segments());
  expect_conserved();
}

// A batch that is under way outlives its sockets: what has been received is not lost.
TEST_F(FullLaneTest, NewSocketsDoNotLoseWhatTheOldOnesBrought) {
  left_.lane().set_udp_ports({&near_[0], nullptr});
  flood(far_[0]);
  poll();
  const std::size_t taken = trains - near_[0].waiting();
  left_.lane().set_udp_ports({&near_[1], nullptr});
  while (poll() == budget) {
  }
  EXPECT_EQ(left_.counters().from_wire.drops.of(Drop::malformed), taken * segments);
  expect_conserved();
}

}  // namespace
}  // namespace tw::lane
