#include "node/links/links_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tw::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

Prefix net(std::string_view text) { return *Prefix::parse(text); }
InterfaceAddress own(std::string_view text, std::uint8_t length) {
  return {*IpAddress::parse(text), length};
}

PeerConfig peer(std::string name, std::vector<Prefix> allowed_ips) {
  PeerConfig peer;
  peer.name = std::move(name);
  peer.allowed_ips = std::move(allowed_ips);
  return peer;
}

NodeConfig pop_config() {
  NodeConfig config;
  config.tunnel.interface = "tw0";
  config.tunnel.addresses = {own("10.9.0.1", 24)};
  config.peers = {peer("clients", {net("10.9.0.0/24"), net("10.10.0.0/16")}),
                  peer("far", {net("10.9.0.2/32")})};
  config.relay.enabled = true;
  config.relay.turbo.initcwnd = 400;
  config.relay.turbo.congestion_control = "cubic";
  PopConfig pop;
  pop.peer = "far";
  pop.pop.overlay_address = *IpAddress::parse("10.9.0.2");
  config.pops = {pop};
  return config;
}

TEST(LinksPlan, RoutesAllowedIpsAndGivesTurboToPopsOnly) {
  const RouteMetrics turbo{.initcwnd = 400, .initrwnd = 0, .congestion_control = "cubic"};
  EXPECT_THAT(
      plan_network(pop_config(), 7).routes,
      ElementsAre(Pair(net("10.9.0.2/32"), turbo), Pair(net("10.10.0.0/16"), RouteMetrics{})))
      << "10.9.0.0/24 comes with the address";
}

TEST(LinksPlan, ThePopsKeepTheirRoutesWithoutInstallRoutes) {
  NodeConfig config = pop_config();
  config.tunnel.install_routes = false;
  EXPECT_THAT(plan_network(config, 7).routes, SizeIs(1));
  config.relay.enabled = false;
  EXPECT_THAT(plan_network(config, 7).routes, IsEmpty());
}

TEST(LinksPlan, SkipsDefaultRoutesAndSaysWhatToTypeInstead) {
  NodeConfig config = pop_config();
  config.peers = {peer("exit", {net("0.0.0.0/0"), net("::/0"), net("10.10.0.0/16")})};
  config.pops.clear();
  const NetworkPlan plan = plan_network(config, 7);
  EXPECT_THAT(plan.routes, ElementsAre(Pair(net("10.10.0.0/16"), RouteMetrics{})));
  ASSERT_THAT(plan.warnings, SizeIs(2));
  EXPECT_THAT(plan.warnings[0], HasSubstr("peer exit"));
  EXPECT_THAT(plan.warnings[0], HasSubstr("ip -4 route add 0.0.0.0/1 dev tw0"));
  EXPECT_THAT(plan.warnings[1], HasSubstr("ip -6 route add 8000::/1 dev tw0"));
}

TEST(LinksPlan, PolicyRoutingIsTheDevicesOwnAndOnlyForFamiliesInUse) {
  const NetworkPlan plan = plan_network(pop_config(), 7);
  ASSERT_THAT(plan.rules, SizeIs(1));
  const RuleSpec& rule = *plan.rules.begin();
  EXPECT_EQ(rule.in_device, "tw0");
  EXPECT_EQ(rule.mark, plan.firewall.mark);
  ASSERT_THAT(plan.local_routes, SizeIs(1));
  EXPECT_EQ(plan.local_routes.begin()->table, rule.table);
  EXPECT_TRUE(plan.local_routes.begin()->local);
  EXPECT_NE(plan_network(pop_config(), 8).firewall.mark, rule.mark);

  NodeConfig both = pop_config();
  both.peers.push_back(peer("six", {net("fd10::/64")}));
  EXPECT_THAT(plan_network(both, 7).rules, SizeIs(2));
  both.relay.enabled = false;
  EXPECT_THAT(plan_network(both, 7).rules, IsEmpty());
  EXPECT_THAT(plan_network(both, 7).local_routes, IsEmpty());
}

TEST(LinksPlan, ForwardsOnlyWhenAskedTo) {
  NodeConfig config = pop_config();
  EXPECT_FALSE(plan_network(config, 7).forward_v4);
  config.gateway.forward = true;
  EXPECT_TRUE(plan_network(config, 7).forward_v4);
  EXPECT_FALSE(plan_network(config, 7).forward_v6);
}

}  // namespace
}  // namespace tw::node
