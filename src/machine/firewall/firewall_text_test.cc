#include "machine/firewall/firewall_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "machine/firewall/firewall_match.h"

namespace tw {
namespace {

using relay::Action;
using relay::PolicyRule;
using relay::PortRange;
using relay::Protocol;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Prefix net(std::string_view text) { return *Prefix::parse(text); }

PolicyRule rule(Action action, Protocol protocol, std::vector<Prefix> from, std::vector<Prefix> to,
                std::vector<PortRange> ports = {}) {
  return {.from = std::move(from),
          .to = std::move(to),
          .protocol = protocol,
          .ports = std::move(ports),
          .action = action};
}

// The lines between "chain NAME {" and "}".
std::string chain(const std::string& text, const std::string& name) {
  const std::string start = "  chain " + name + " {\n";
  const std::size_t begin = text.find(start);
  if (begin == std::string::npos) return "no such chain";
  return text.substr(begin + start.size(), text.find("\n  }", begin) + 1 - begin - start.size());
}

FirewallSpec spec_with_relay() {
  FirewallSpec spec;
  spec.device = "wg0";
  spec.link_index = 7;
  spec.own_addresses = {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("fd00::1")};
  spec.relay = true;
  spec.listen_port = 9701;
  spec.leg_port = 9702;
  spec.mark = 0x54570003;
  spec.own_mark = 0x54580003;
  spec.pop_addresses = {*IpAddress::parse("10.0.0.2")};
  return spec;
}

TEST(FirewallMatch, PrefixesInsideOthersGo) {
  EXPECT_THAT(without_overlaps({net("10.1.0.0/16"), net("fd00::/8"), net("10.0.0.0/8"),
                                net("10.0.0.0/8"), net("11.0.0.0/8"), net("fd12::/16")}),
              ElementsAre(net("10.0.0.0/8"), net("11.0.0.0/8"), net("fd00::/8")));
  EXPECT_THAT(without_overlaps({net("10.1.0.0/16"), net("0.0.0.0/0"), net("::/0"), net("fd::/8")}),
              ElementsAre(net("0.0.0.0/0"), net("::/0")));
}

TEST(FirewallMatch, PortRangesMerge) {
  EXPECT_THAT(
      without_overlaps(std::vector<PortRange>{
          {443, 443}, {80, 80}, {81, 90}, {85, 88}, {9, 3}, {65535, 65535}, {60000, 65535}}),
      ElementsAre(PortRange{80, 90}, PortRange{443, 443}, PortRange{60000, 65535}));
}

TEST(FirewallMatch, AFamilyIsMatchedOnlyIfBothSidesHaveIt) {
  EXPECT_THAT(rule_matches(rule(Action::route, Protocol::any, {net("10.0.0.0/8")},
                                {net("192.0.2.0/24"), net("2001:db8::/32")}),
                           false),
              ElementsAre("ip saddr 10.0.0.0/8 ip daddr 192.0.2.0/24 "));
  EXPECT_THAT(
      rule_matches(rule(Action::route, Protocol::any, {net("10.0.0.0/8")}, {net("2001:db8::/32")}),
                   false),
      IsEmpty());
  EXPECT_THAT(rule_matches(rule(Action::route, Protocol::any, {}, {}), false), ElementsAre(""));
  EXPECT_THAT(
      rule_matches(rule(Action::route, Protocol::udp, {net("0.0.0.0/0"), net("10.0.0.0/8")}, {}),
                   false),
      ElementsAre("meta nfproto ipv4 meta l4proto udp "));
}

TEST(FirewallMatch, PortsOfAnyProtocolAreThoseOfTcpAndUdp) {
  const PolicyRule some = rule(Action::route, Protocol::any, {}, {}, {{53, 53}, {80, 90}});
  EXPECT_THAT(rule_matches(some, false),
              ElementsAre("meta l4proto { tcp, udp } th dport { 53, 80-90 } "));
  EXPECT_THAT(rule_matches(some, true), ElementsAre("tcp dport { 53, 80-90 } "));
  EXPECT_THAT(rule_matches(rule(Action::relay, Protocol::udp, {}, {}), true), IsEmpty());
  EXPECT_THAT(rule_matches(rule(Action::route, Protocol::tcp, {}, {}, {{9, 3}}), false), IsEmpty())
      << "ports of which there are none are not all ports";
}

TEST(FirewallText, OwnsItsTableAndFillsItInOneTransaction) {
  const std::string text = render_firewall(spec_with_relay());
  EXPECT_THAT(text, ::testing::StartsWith("add table inet thalweg_wg0 { flags owner; }\n"
                                          "flush table inet thalweg_wg0\n"
                                          "table inet thalweg_wg0 {\n"));
  EXPECT_EQ(text, render_firewall(spec_with_relay())) << "the same input, the same text";
}

TEST(FirewallText, KeepsTheOrderOfTheRulesAndEndsClosed) {
  FirewallSpec spec = spec_with_relay();
  spec.policy = {rule(Action::refuse, Protocol::tcp, {}, {net("192.0.2.0/24")}, {{25, 25}}),
                 rule(Action::relay, Protocol::tcp, {net("10.0.0.0/8")}, {}),
                 rule(Action::route, Protocol::any, {}, {net("192.0.2.0/24")})};
  const std::string text = render_firewall(spec);
  EXPECT_EQ(chain(text, "relayed"),
            "    ip daddr 192.0.2.0/24 tcp dport 25 return\n"
            "    ip saddr 10.0.0.0/8 goto to_listener\n"
            "    ip daddr 192.0.2.0/24 return\n");
  EXPECT_EQ(chain(text, "routed"),
            "    meta nfproto ipv6 jump embedded\n"
            "    ip daddr 192.0.2.0/24 tcp dport 25 goto refused\n"
            "    ip saddr 10.0.0.0/8 meta l4proto tcp goto refused\n"
            "    ip daddr 192.0.2.0/24 goto admitted\n"
            "    goto refused\n");
}

TEST(FirewallText, QuicIsRejectedWhereItsTcpWouldBeRelayed) {
  FirewallSpec spec = spec_with_relay();
  spec.client_devices = {"eth1"};
  spec.policy = {rule(Action::route, Protocol::tcp, {}, {net("198.51.100.0/24")}, {{443, 443}}),
                 rule(Action::refuse, Protocol::udp, {}, {net("203.0.113.0/24")}),
                 rule(Action::relay, Protocol::tcp, {}, {net("192.0.2.0/25")}, {{80, 80}}),
                 rule(Action::relay, Protocol::tcp, {net("10.0.0.0/8")}, {}, {{400, 500}}),
                 rule(Action::refuse, Protocol::any, {}, {net("2001:db8::/32")}),
                 rule(Action::relay, Protocol::tcp, {}, {}),
                 rule(Action::route, Protocol::any, {}, {})};
  EXPECT_EQ(chain(render_firewall(spec), "quic"), "") << "not unless it is asked for";
  EXPECT_THAT(render_firewall(spec), Not(HasSubstr("jump quic")));
  spec.reject_quic = true;
  const std::string text = render_firewall(spec);
  EXPECT_EQ(chain(text, "quic"),
            "    ip daddr 198.51.100.0/24 return\n"
            "    ip saddr 10.0.0.0/8 counter name quic reject with icmpx port-unreachable\n"
            "    ip6 daddr 2001:db8::/32 return\n"
            "    counter name quic reject with icmpx port-unreachable\n"
            "    return\n");
  EXPECT_THAT(chain(text, "from_client"),
              HasSubstr("    udp dport 443 ct state != { established, related } fib daddr type "
                        "unicast jump quic\n"
                        "    meta l4proto != tcp return\n"));
  spec.relay = false;
  EXPECT_EQ(chain(render_firewall(spec), "quic"), "") << "there is nothing to fall back to";
}

TEST(FirewallText, MarksBeforeItHandsOver) {
  EXPECT_EQ(chain(render_firewall(spec_with_relay()), "to_listener"),
            "    meta l4proto tcp meta mark set 0x54570003 tproxy to :9701 accept\n");
}

TEST(FirewallText, WithoutARelayNothingIsHandedOver) {
  FirewallSpec spec = spec_with_relay();
  spec.relay = false;
  spec.policy = {rule(Action::relay, Protocol::tcp, {}, {})};
  const std::string text = render_firewall(spec);
  EXPECT_THAT(text, Not(HasSubstr("tproxy")));
  EXPECT_THAT(text, Not(HasSubstr("0x5457")));
  EXPECT_EQ(chain(text, "routed"),
            "    meta nfproto ipv6 jump embedded\n"
            "    meta l4proto tcp goto refused\n    goto refused\n");
}

TEST(FirewallText, MasqueradesByFamilyAndNeverOnLo) {
  FirewallSpec spec = spec_with_relay();
  spec.masquerade = {net("10.0.0.0/8"), net("192.168.0.0/16"), net("fd00::/8")};
  const std::string text = render_firewall(spec);
  EXPECT_EQ(chain(text, "masqueraded"),
            "    ip saddr { 10.0.0.0/8, 192.168.0.0/16 } masquerade\n"
            "    ip6 saddr fd00::/8 masquerade\n");
  EXPECT_EQ(chain(text, "source_nat"),
            "    type nat hook postrouting priority srcnat; policy accept;\n"
            "    oif { lo, 7 } return\n"
            "    iif 7 goto masqueraded\n");
}

TEST(FirewallText, NoSocketIsLookedUpForWhatNoClientHasSent) {
  FirewallSpec spec = spec_with_relay();
  spec.client_devices = {"eth1", "ppp0"};
  spec.client_indexes = {3, 9};
  EXPECT_EQ(chain(render_firewall(spec), "prerouting"),
            "    type filter hook prerouting priority mangle; policy accept;\n"
            "    iif 7 goto from_client\n"
            "    iif { 3, 9 } goto from_client\n"
            "    iifname { \"eth1\", \"ppp0\" } goto from_client\n");
  EXPECT_THAT(chain(render_firewall(spec), "from_client"),
              ::testing::StartsWith(
                  "    meta l4proto tcp socket transparent 1 socket wildcard 0 meta mark set"));
}

// A rule that refuses must not wait for a device of a certain name.
TEST(FirewallText, NamesOfDevicesOnlyLeadToThePolicy) {
  FirewallSpec spec = spec_with_relay();
  spec.client_devices = {"eth1"};
  spec.policy = {rule(Action::route, Protocol::any, {}, {})};
  const std::string text = render_firewall(spec) + render_floor(spec, false);
  for (std::size_t at = text.find("ifname"); at != std::string::npos;
       at = text.find("ifname", at + 1)) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    EXPECT_THAT(line, Not(HasSubstr("!=")));
    EXPECT_THAT(line, Not(HasSubstr("return")));
  }
}

TEST(FirewallText, ForeignPacketsAreDroppedOnlyWhereWeOpenedTheWay) {
  FirewallSpec spec = spec_with_relay();
  EXPECT_EQ(chain(render_firewall(spec), "foreign"),
            "    type filter hook forward priority -12; policy accept;\n");
  spec.drop_foreign_v6 = true;
  EXPECT_EQ(chain(render_firewall(spec), "foreign"),
            "    type filter hook forward priority -12; policy accept;\n"
            "    meta mark & 0x08000000 == 0x08000000 return\n"
            "    meta nfproto ipv6 counter name foreign_forward drop\n");
}

TEST(FirewallText, TheFloorLeavesInputAloneButForTheRelaysPorts) {
  FirewallSpec spec = spec_with_relay();
  EXPECT_EQ(chain(render_floor(spec, false), "input"),
            "    type filter hook input priority 1; policy accept;\n"
            "    iif lo return\n"
            "    ct state established,related return\n"
            "    tcp dport 9701 socket mark != 0x54580003 counter name no_policy drop\n"
            "    ip daddr 10.0.0.1/32 tcp dport 9702 socket mark != 0x54580003 counter name "
            "no_policy drop\n"
            "    ip6 daddr fd00::1/128 tcp dport 9702 socket mark != 0x54580003 counter name "
            "no_policy drop\n");
  spec.relay = false;
  EXPECT_THAT(render_floor(spec, false), Not(HasSubstr("hook input")));
}

TEST(FirewallText, OverlayRangesAreOneSetAFamily) {
  FirewallSpec spec = spec_with_relay();
  spec.peers = overlay_ranges(
      {{net("10.0.0.2/32"), 32}, {net("10.0.0.3/32"), 32}, {net("10.1.0.0/16"), 16}});
  spec.overlay = without_peers(spec.peers);
  spec.flows_per_peer = 10;
  const std::string text = render_firewall(spec);
  EXPECT_THAT(text, HasSubstr("\nadd element inet thalweg_wg0 overlay4 { 10.0.0.2-10.0.0.3, "
                              "10.1.0.0-10.1.255.255, }\n"));
  EXPECT_THAT(text, HasSubstr("peers_32_in_4 { 10.0.0.2-10.0.0.3, }\n"));
  EXPECT_THAT(text, HasSubstr("peers_16_in_4 { 10.1.0.0-10.1.255.255, }\n"));
  EXPECT_EQ(chain(text, "share_of_peer"),
            "    ip saddr @peers_16_in_4 add @flows_16_in_4 { ip saddr & 255.255.0.0 ct count over "
            "10 } counter name flow_share drop\n"
            "    ip saddr @peers_32_in_4 add @flows_32_in_4 { ip saddr ct count over 10 } counter "
            "name flow_share drop\n");
  spec.flows_per_peer = 0;
  EXPECT_THAT(render_firewall(spec), Not(HasSubstr("ct count")));
}

TEST(FirewallText, NothingIsHookedForAGatewayThatIsNone) {
  const std::string text = render_firewall(spec_with_relay());
  EXPECT_THAT(text, Not(HasSubstr("nat hook"))) << "costs every connection of the machine";
  EXPECT_THAT(text, Not(HasSubstr("hook forward priority mangle")));
}

TEST(FirewallText, TableNamesAreIdentifiersAndDiffer) {
  EXPECT_EQ(firewall_table("wg0"), "thalweg_wg0");
  EXPECT_EQ(firewall_table("wg-eu.1"), "thalweg_wg-eu.1");
  EXPECT_EQ(firewall_table("a=b"), "thalweg_a_3db");
  EXPECT_NE(firewall_table("a_3db"), firewall_table("a=b"));
}

TEST(FirewallText, DeviceNamesCannotCarryRules) {
  for (const char* name : {"wg0", "wg-eu.1", "a=b+c_d", "0123456789abcde"}) {
    EXPECT_TRUE(is_device_name(name)) << name;
  }
  for (const char* name :
       {"", ".", "..", "wg*", "wg0\" accept #", "wg 0", "wg/0", "wg0\n", "0123456789abcdef"}) {
    EXPECT_FALSE(is_device_name(name)) << name;
  }
}

}  // namespace
}  // namespace tw
