// Tests that a lane carries neither tunnels in each other without end nor packets that would steer
// the host.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "lane/test_machines.h"
#include "wire/ip/nesting.h"

namespace tw::lane {
namespace {

using test::ip_packet;

constexpr std::uint8_t icmp = 1, udp = 17;

/// From the left to the right, in IPv4; its payload is 12 bytes and begins with `payload`.
std::vector<std::uint8_t> packet_of(std::uint8_t protocol, std::uint8_t hops,
                                    const std::vector<std::uint8_t>& payload) {
  std::vector<std::uint8_t> packet = ip_packet(1, 2, 12, 0);
  packet[8] = hops;
  packet[9] = protocol;
  std::copy(payload.begin(), payload.end(), packet.begin() + 20);
  return packet;
}
/// A UDP header, and the first bytes of transport data.
std::vector<std::uint8_t> nested(std::uint8_t hops) {
  return packet_of(udp, hops, {0, 9, 0, 9, 0, 12, 0, 0, 4, 0, 0, 0});
}

class TunnelGuardsTest : public test::TwoMachinesTest {
 protected:
  void SetUp() override {
    left_.from_host(ip_packet(1, 2, 10, 0));
    settle();
    ASSERT_EQ(right_.to_host().size(), 1U);
  }
  /// Returns the trains that the left has sent and the right has not taken yet.
  std::vector<Train> sent() {
    std::vector<Train> trains;
    left_.context().run_until_idle();
    right_.udp().mark_waiting([&](Train& train) { trains.push_back(train); });
    return trains;
  }
};

TEST_F(TunnelGuardsTest, ATunnelInsideHandsItsHopLimitOn) {
  left_.from_host(nested(64));
  left_.from_host(nested(64));
  left_.from_host(nested(56));
  left_.from_host(ip_packet(1, 2, 12, 0));
  const std::vector<Train> trains = sent();
  ASSERT_EQ(trains.size(), 3U);
  EXPECT_EQ(trains[0].hop_limit, 64 - Nesting::hops_per_tunnel);
  EXPECT_EQ(trains[0].segments(), 2U);
  EXPECT_EQ(trains[1].hop_limit, 56 - Nesting::hops_per_tunnel);
  EXPECT_EQ(trains[2].hop_limit, 0);
  settle();
  EXPECT_EQ(right_.to_host().size(), 4U);
  expect_conserved();
}

TEST_F(TunnelGuardsTest, ATunnelTooDeepIsDropped) {
  left_.from_host(nested(Nesting::hops_per_tunnel));
  settle();
  EXPECT_TRUE(right_.to_host().empty());
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::routing_loop), 1U);
  expect_conserved();
}

/// A socket whose every destination is routed into the tunnel.
class IntoTheTunnel final : public Port {
 public:
  std::size_t poll(PacketBatch&) noexcept override { return 0; }
  SendResult send(std::span<const Train>) noexcept override {
    SendResult result;
    result.os_errno = ELOOP;
    return result;
  }
  int wait_fd() const noexcept override { return -1; }
};

TEST_F(TunnelGuardsTest, AnEndpointInsideTheTunnelCostsItsPackets) {
  IntoTheTunnel socket;
  left_.lane().set_udp_ports({&socket, nullptr});
  for (int i = 0; i < 5; ++i) left_.from_host(ip_packet(1, 2, 12, 0));
  settle();
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::routing_loop), 5U);
  expect_conserved();
  left_.lane().set_udp_ports({&left_.udp(), nullptr});
}

TEST_F(TunnelGuardsTest, NoPeerRedirectsTheHost) {
  left_.from_host(packet_of(icmp, 64, {5, 1}));
  left_.from_host(packet_of(icmp, 64, {8, 0}));
  settle();
  EXPECT_EQ(right_.to_host().size(), 1U);
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::host_steering), 1U);
  expect_conserved();
}

}  // namespace
}  // namespace tw::lane
