#include "machine/netlink/netlink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "machine/test_tunnel.h"

namespace tw::node::testing {
namespace {

InterfaceAddress own(std::string_view text, std::uint8_t length) {
  return {*IpAddress::parse(text), length};
}
RouteSpec by_tunnel(std::string_view prefix, RouteMetrics metrics = {}) {
  return {.prefix = net(prefix), .device = "tw0", .metrics = std::move(metrics)};
}

class NetlinkInKernel : public ::testing::Test, protected MachineWithTunnel {
 protected:
  void SetUp() override {
    if (!entered()) GTEST_SKIP() << "needs root, for a network namespace";
    ASSERT_EQ(make_tunnel(), "");
  }
  bool has(const InterfaceAddress& address) {
    auto addresses = netlink_->links.addresses();
    if (!addresses) return false;
    return std::ranges::any_of(*addresses, [&](const DeviceAddress& one) {
      return one.address == address && one.link_index == netlink_->links.link("tw0")->index;
    });
  }
};

TEST_F(NetlinkInKernel, SetsALinkUpAndReadsItBack) {
  ASSERT_TRUE(netlink_->links.set_mtu("tw0", 1380));
  ASSERT_TRUE(netlink_->links.set_tx_queue("tw0", 4096));
  ASSERT_TRUE(netlink_->links.set_up("tw0", true));
  auto link = netlink_->links.link("tw0");
  ASSERT_TRUE(link) << link.error().text();
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->mtu, 1380);
  EXPECT_EQ(link->tx_queue_packets, 4096);
  EXPECT_EQ(link->tx_dropped, 0);
  ASSERT_TRUE(netlink_->links.set_up("tw0", false));
  EXPECT_FALSE(netlink_->links.link("tw0")->up);
}

TEST_F(NetlinkInKernel, SaysWhatWasTriedAndWhatTheKernelSaid) {
  const auto missing = netlink_->links.link("nosuch0");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Error::Kind::unavailable);
  EXPECT_EQ(missing.error().text(), "there is no device nosuch0");
  const auto small = netlink_->links.set_mtu("tw0", 1);
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().os_errno, EINVAL);
  EXPECT_THAT(small.error().text(), ::testing::HasSubstr("set the MTU of tw0 to 1"));
  EXPECT_THAT(small.error().text(), ::testing::HasSubstr("mtu less than device minimum"));
  EXPECT_FALSE(netlink_->links.set_mtu("", 1400));
  EXPECT_FALSE(netlink_->links.link("sixteencharacter"));
}

TEST_F(NetlinkInKernel, ADeviceLosesItsQueueingDiscipline) {
  ASSERT_TRUE(netlink_->links.set_up("tw0", true));
  const std::string before = output("ip -o link show tw0");
  EXPECT_THAT(before, ::testing::Not(::testing::HasSubstr("qdisc noqueue")));
  for (int twice = 0; twice < 2; ++twice) {
    const auto removed = netlink_->links.remove_discipline("tw0");
    ASSERT_TRUE(removed) << removed.error().text();
    EXPECT_THAT(output("ip -o link show tw0"), ::testing::HasSubstr("qdisc noqueue"));
  }
  const auto missing = netlink_->links.remove_discipline("nosuch0");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().text(),
            "remove the queueing discipline of nosuch0: there is no device nosuch0");
}

TEST_F(NetlinkInKernel, AddressesCanBeAddedAndRemovedTwice) {
  for (const InterfaceAddress& address : {own("10.7.0.1", 24), own("fd07::1", 64)}) {
    EXPECT_TRUE(netlink_->links.add_address("tw0", address));
    EXPECT_TRUE(netlink_->links.add_address("tw0", address));
    EXPECT_TRUE(has(address));
    EXPECT_TRUE(netlink_->links.remove_address("tw0", address));
    EXPECT_TRUE(netlink_->links.remove_address("tw0", address));
    EXPECT_FALSE(has(address));
  }
  EXPECT_FALSE(netlink_->links.add_address("nosuch0", own("10.7.0.1", 24)));
  EXPECT_TRUE(netlink_->links.remove_address("nosuch0", own("10.7.0.1", 24)));
}

TEST_F(NetlinkInKernel, RoutesCarryMetrics) {
  ASSERT_TRUE(netlink_->links.set_up("tw0", true));
  const RouteMetrics turbo{.initcwnd = 400, .initrwnd = 200, .congestion_control = "reno"};
  for (const char* prefix : {"10.8.0.2/32", "fd08::2/128"}) {
    const auto added = netlink_->routes.add_route(by_tunnel(prefix, turbo));
    ASSERT_TRUE(added) << added.error().text();
  }
  const std::string shown = output("ip -4 route show; ip -6 route show");
  EXPECT_THAT(shown,
              ::testing::ContainsRegex("10.8.0.2 [^\n]*initcwnd 400 initrwnd 200 congctl reno"));
  EXPECT_THAT(shown,
              ::testing::ContainsRegex("fd08::2 [^\n]*initcwnd 400 initrwnd 200 congctl reno"));
  const auto replaced = netlink_->routes.replace_route(by_tunnel("10.8.0.2/32", {.initcwnd = 50}));
  ASSERT_TRUE(replaced) << replaced.error().text();
  const std::string after = output("ip -4 route show 10.8.0.2");
  EXPECT_THAT(after, ::testing::HasSubstr("initcwnd 50"));
  EXPECT_THAT(after, ::testing::Not(::testing::HasSubstr("reno")));
}

TEST_F(NetlinkInKernel, NeverReplacesARouteThatSomebodyElseMade) {
  const ScratchTun other("other0");
  ASSERT_TRUE(netlink_->links.set_up("tw0", true) && netlink_->links.set_up("other0", true));
  ASSERT_TRUE(netlink_->routes.add_route(
      {.prefix = net("10.9.0.0/16"), .device = "other0", .metrics = {}}));
  const auto refused = netlink_->routes.add_route(by_tunnel("10.9.0.0/16"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os_errno, EEXIST);
  EXPECT_THAT(refused.error().text(), ::testing::HasSubstr("add route 10.9.0.0/16 dev tw0"));
  EXPECT_TRUE(netlink_->routes.remove_route(by_tunnel("10.9.0.0/16"))) << "ours is not there";
  EXPECT_THAT(output("ip route show"), ::testing::HasSubstr("10.9.0.0/16 dev other0"));
}

TEST_F(NetlinkInKernel, RulesThatAreInvertedOrSuppress) {
  constexpr std::uint32_t table = 0x54570008;
  for (const Family family : {Family::v4, Family::v6}) {
    const RuleSpec unmarked{
        .family = family, .priority = 9701, .mark = 7, .table = table, .inverted = true};
    const RuleSpec better{
        .family = family, .priority = 9702, .table = main_table, .suppressed_length = 0};
    ASSERT_TRUE(netlink_->routes.add_rule(unmarked));
    ASSERT_TRUE(netlink_->routes.add_rule(better));
    const std::string which = family == Family::v4 ? "ip -4 " : "ip -6 ";
    EXPECT_EQ(output(which + "rule show priority 9701"),
              "9701:\tnot from all fwmark 0x7 lookup 1414987784\n");
    EXPECT_EQ(output(which + "rule show priority 9702"),
              "9702:\tfrom all lookup main suppress_prefixlength 0\n");
    EXPECT_TRUE(netlink_->routes.remove_rule(unmarked));
    EXPECT_TRUE(netlink_->routes.remove_rule(better));
    EXPECT_EQ(output(which + "rule show priority 9701"), "");
    EXPECT_EQ(output(which + "rule show priority 9702"), "");
  }
}

TEST_F(NetlinkInKernel, RulesAndLocalRoutesComeAndGo) {
  constexpr std::uint32_t table = 0x54570007;
  for (const Family family : {Family::v4, Family::v6}) {
    const bool v4 = family == Family::v4;
    const RouteSpec local{.prefix = net(v4 ? "0.0.0.0/0" : "::/0"),
                          .device = "lo",
                          .table = table,
                          .local = true,
                          .metrics = {}};
    const RuleSpec rule{
        .family = family, .priority = 9700, .mark = 7, .table = table, .in_device = "tw0"};
    for (int twice = 0; twice < 2; ++twice) {
      const auto routed = netlink_->routes.replace_route(local);
      ASSERT_TRUE(routed) << routed.error().text();
      const auto ruled = netlink_->routes.add_rule(rule);
      ASSERT_TRUE(ruled) << ruled.error().text();
    }
    const std::string which = v4 ? "ip -4 " : "ip -6 ";
    EXPECT_EQ(output(which + "rule show priority 9700"),
              "9700:\tfrom all fwmark 0x7 iif tw0 lookup 1414987783\n");
    EXPECT_THAT(output(which + "route show table 1414987783"),
                ::testing::StartsWith("local default dev lo"));
    for (int twice = 0; twice < 2; ++twice) {
      EXPECT_TRUE(netlink_->routes.remove_rule(rule));
      EXPECT_TRUE(netlink_->routes.remove_route(local));
    }
    EXPECT_EQ(output(which + "rule show priority 9700"), "");
    EXPECT_EQ(output(which + "route show table 1414987783 2>/dev/null"), "");
  }
}

}  // namespace
}  // namespace tw::node::testing
