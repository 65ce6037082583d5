#include "machine/refused_flows.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace tw {
namespace {

using relay::Action;
using relay::PolicyRule;
using relay::Protocol;

constexpr std::uint32_t tun = 7, lan = 8, wan = 2;

Prefix net(std::string_view text) { return *Prefix::parse(text); }
IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

// Clients are in 10.9/16 and fd09::/16, the LAN is 198.18/16, everything else is on the WAN.
std::optional<AddressWay> way_to(const IpAddress& address) {
  if (address == ip("10.9.0.1") || address == ip("fd09::1") || address == ip("192.0.2.1")) {
    return AddressWay{.link_index = 1, .local = true};
  }
  if (address == ip("203.0.113.9")) return std::nullopt;
  if (net("10.9.0.0/16").contains(address) || net("fd09::/16").contains(address)) {
    return AddressWay{.link_index = tun};
  }
  return AddressWay{.link_index = net("198.18.0.0/16").contains(address) ? lan : wan};
}

TrackedFlow flow(std::string_view from, std::string_view to, std::uint8_t protocol) {
  return {*Endpoint::parse(from), *Endpoint::parse(to), protocol};
}

class RefusedFlowsTest : public testing::Test {
 protected:
  RefusedFlowsTest() {
    spec_.device = "tw0";
    spec_.own_addresses = {ip("10.9.0.1"), ip("fd09::1")};
    spec_.leg_port = 9702;
    spec_.listen_port = 9701;
    spec_.pop_addresses = {ip("10.9.0.2")};
  }
  bool refuses(std::string_view from, std::string_view to, std::uint8_t protocol) {
    RefusedFlows flows{spec_, tun, {lan}, way_to};
    return flows.refuses(flow(from, to, protocol));
  }
  FirewallSpec spec_;
};

TEST_F(RefusedFlowsTest, WithoutARuleNothingThatMeetsTheTunnelStays) {
  EXPECT_TRUE(refuses("10.9.1.2:4000", "192.0.2.80:53", IPPROTO_UDP));
  EXPECT_TRUE(refuses("[fd09::2]:4000", "[2001:db8::80]:80", IPPROTO_TCP));
  EXPECT_TRUE(refuses("198.18.0.5:4000", "192.0.2.80:53", IPPROTO_UDP));  // a client device
  EXPECT_TRUE(refuses("192.0.2.80:4000", "10.9.1.2:22", IPPROTO_TCP));    // into the tunnel
  EXPECT_TRUE(refuses("10.9.1.2:0", "10.9.1.3:0", IPPROTO_ICMP));
  EXPECT_TRUE(refuses("10.9.1.2:0", "192.0.2.80:0", IPPROTO_GRE));
}

TEST_F(RefusedFlowsTest, FlowsOfOtherDevicesAndOfThisMachineStay) {
  EXPECT_FALSE(refuses("192.0.2.5:4000", "203.0.113.80:80", IPPROTO_TCP));
  EXPECT_FALSE(refuses("192.0.2.5:4000", "198.18.0.5:80", IPPROTO_TCP));  // towards the LAN only
  EXPECT_FALSE(refuses("10.9.0.1:4000", "10.9.1.2:80", IPPROTO_TCP));     // ours
  EXPECT_FALSE(refuses("192.0.2.1:51820", "198.18.0.5:51820", IPPROTO_UDP));
  EXPECT_FALSE(refuses("192.0.2.5:4000", "192.0.2.1:22", IPPROTO_TCP));  // an administrator
  EXPECT_FALSE(refuses("198.18.0.5:4000", "192.0.2.1:22", IPPROTO_TCP));
  EXPECT_FALSE(refuses("203.0.113.9:4000", "192.0.2.80:22", IPPROTO_TCP));
}

TEST_F(RefusedFlowsTest, TheFirstRuleThatMatchesDecides) {
  spec_.policy = {PolicyRule{.to = {net("192.0.2.66/32")}, .action = Action::refuse},
                  PolicyRule{.from = {net("10.9.1.0/24"), net("fd09::/64")},
                             .protocol = Protocol::udp,
                             .ports = {{53, 53}},
                             .action = Action::route}};
  EXPECT_FALSE(refuses("10.9.1.2:4000", "192.0.2.80:53", IPPROTO_UDP));
  EXPECT_FALSE(refuses("[fd09::2]:4000", "[2001:db8::80]:53", IPPROTO_UDP));
  EXPECT_TRUE(refuses("10.9.1.2:4000", "192.0.2.66:53", IPPROTO_UDP));
  EXPECT_TRUE(refuses("10.9.1.2:4000", "192.0.2.80:54", IPPROTO_UDP));
  EXPECT_TRUE(refuses("10.9.2.2:4000", "192.0.2.80:53", IPPROTO_UDP));
  EXPECT_TRUE(refuses("10.9.1.2:4000", "192.0.2.80:53", IPPROTO_TCP));
  EXPECT_TRUE(refuses("[fd09:1::2]:4000", "[2001:db8::80]:53", IPPROTO_UDP));
}

TEST_F(RefusedFlowsTest, WhatEntersThisMachineByTheTunnelIsJudgedToo) {
  EXPECT_TRUE(refuses("10.9.1.2:4000", "10.9.0.1:22", IPPROTO_TCP));
  EXPECT_TRUE(refuses("[fd09::2]:4000", "192.0.2.1:22", IPPROTO_TCP));
  EXPECT_FALSE(refuses("10.9.1.2:0", "10.9.0.1:0", IPPROTO_ICMP));
  EXPECT_TRUE(refuses("10.9.1.2:0", "192.0.2.1:0", IPPROTO_ICMP));
  EXPECT_TRUE(refuses("10.9.0.2:4000", "10.9.0.1:9702", IPPROTO_TCP));  // without a relay
  spec_.relay = true;
  EXPECT_FALSE(refuses("10.9.0.2:4000", "10.9.0.1:9702", IPPROTO_TCP));
  EXPECT_TRUE(refuses("10.9.0.3:4000", "10.9.0.1:9702", IPPROTO_TCP));
}

TEST_F(RefusedFlowsTest, WhatIsRelayedStaysAndWhatCannotBeIsRefused) {
  spec_.relay = true;
  spec_.reject_quic = true;
  spec_.policy = {PolicyRule{.from = {net("10.9.0.0/16")}, .action = Action::relay},
                  PolicyRule{.action = Action::route}};
  EXPECT_FALSE(refuses("10.9.1.2:4000", "192.0.2.80:443", IPPROTO_TCP));
  EXPECT_TRUE(refuses("10.9.1.2:4000", "192.0.2.80:443", IPPROTO_UDP));
  spec_.policy.front().protocol = Protocol::tcp;
  EXPECT_TRUE(refuses("10.9.1.2:4000", "192.0.2.80:443", IPPROTO_UDP));  // QUIC
  EXPECT_FALSE(refuses("10.9.1.2:4000", "192.0.2.80:444", IPPROTO_UDP));
  spec_.reject_quic = false;
  EXPECT_FALSE(refuses("10.9.1.2:4000", "192.0.2.80:443", IPPROTO_UDP));
  spec_.relay = false;
  EXPECT_TRUE(refuses("10.9.1.2:4000", "192.0.2.80:443", IPPROTO_TCP));
}

}  // namespace
}  // namespace tw
