#include "lane/transmit/dscp_policy.h"

#include <gtest/gtest.h>

#include <vector>

#include "lane/test_machines.h"

namespace tw::lane {
namespace {

constexpr std::uint8_t expedited = 46, other = 10;
constexpr std::uint8_t inner_class = expedited << 2U | ecn::capable_0;

class DscpPolicyTest : public test::TwoMachinesTest {
 protected:
  /// The outer class of each datagram that leaves the left: of a packet of `inner_class`, and of
  /// the handshake before it.
  std::vector<std::uint8_t> classes(DscpPolicy policy) {
    left_.lane().set_dscp(policy);
    auto packet = test::ip_packet(1, 2, 10, 0);
    packet[1] = inner_class;
    left_.from_host(packet);
    std::vector<std::uint8_t> seen;
    for (int turn = 0; turn < 10; ++turn) {
      left_.context().run_until_idle();
      right_.udp().mark_waiting([&](const Train& train) { seen.push_back(train.traffic_class); });
      right_.context().run_until_idle();
    }
    return seen;
  }
};

TEST_F(DscpPolicyTest, ClearsByDefaultButKeepsEcn) {
  EXPECT_EQ(classes(DscpPolicy::clear()), (std::vector<std::uint8_t>{0, ecn::capable_0}));
}

TEST_F(DscpPolicyTest, InheritsThePacketsOwn) {
  EXPECT_EQ(classes(DscpPolicy::inherit()), (std::vector<std::uint8_t>{0, inner_class}));
}

TEST_F(DscpPolicyTest, SetsOneForAll) {
  constexpr std::uint8_t outer = other << 2U;
  EXPECT_EQ(classes(DscpPolicy::fixed(other)),
            (std::vector<std::uint8_t>{outer, outer | ecn::capable_0}));
}

// A train has one outer class: packets of two leave as two trains.
TEST_F(DscpPolicyTest, ClassesDoNotMixInATrain) {
  classes(DscpPolicy::inherit());
  for (const std::uint8_t dscp : {expedited, expedited, other}) {
    auto packet = test::ip_packet(1, 2, 10, 0);
    packet[1] = static_cast<std::uint8_t>(dscp << 2U);
    left_.from_host(packet);
  }
  left_.context().run_until_idle();
  std::vector<std::size_t> segments;
  right_.udp().mark_waiting([&](const Train& train) { segments.push_back(train.segments()); });
  EXPECT_EQ(segments, (std::vector<std::size_t>{2, 1}));
}

}  // namespace
}  // namespace tw::lane
