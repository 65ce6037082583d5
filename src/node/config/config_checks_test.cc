// Every rule of the schema, by a file that breaks it: the whole text of the mistake, with its
// place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Lines 1 to 3 of what the tests append to.
const std::string tunnel = R"([tunnel]
interface = "wg0"
private_key_file = "node.key"
)";
/// The same with an address and the relay: lines 1 to 6.
const std::string relay_on = tunnel + R"(addresses = ["10.9.0.1/24"]
[relay]
enabled = true
)";
/// Lines 7 to 10 behind relay_on.
const std::string peer = R"([[peer]]
name = "sg"
public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
allowed_ips = ["10.9.0.3/32"]
)";

struct Case {
  std::string toml;
  std::string mistake;  // without "node.toml:"
};

void expect(const std::vector<Case>& cases) {
  const TestFolder folder;
  for (const Case& one : cases) {
    EXPECT_THAT(folder.mistakes(one.toml), ElementsAre("node.toml:" + one.mistake)) << one.toml;
  }
}

TEST(ConfigRules, KindsAndUnknownNames) {
  expect({
      {"interface = 1\n" + tunnel,
       "1:1: interface: unknown key — take it out, or see docs/configuration.md"},
      {tunnel + "listen-port = 1\n",
       "4:1: tunnel.listen-port: unknown key — did you mean \"listen_port\"?"},
      {tunnel + "[[peers]]\n", "4:3: peers: unknown table — did you mean \"peer\"?"},
      {tunnel + "[relay.turbo]\ninitcwmd = 3\n",
       "5:1: relay.turbo.initcwmd: unknown key — did you mean \"initcwnd\"?"},
      {tunnel + "[peer]\n",
       "4:1: peer: is a table, not a list of tables — write [[peer]], once for each"},
      {tunnel + "[[relay]]\n", "4:1: relay: is a list, not a table — write [relay], once"},
      {tunnel + "[[pop]]\npeer = [\"a\"]\noverlay_address = \"10.1.1.1\"\n",
       "5:8: pop[1].peer: is a list, not a string — write one value, in quotes"},
      {tunnel + "install_routes = \"no\"\n",
       "4:18: tunnel.install_routes: is a string, not a boolean — write true or false, without "
       "quotes"},
      {tunnel + "addresses = \"10.0.0.1/8\"\n",
       "4:13: tunnel.addresses: is a string, not a list — write it in brackets: [\"…\", \"…\"]"},
      {tunnel + "addresses = [\"10.0.0.1/8\", 7]\n",
       "4:28: tunnel.addresses[2]: is an integer, not a string — write one value, in quotes"},
      {tunnel + "fwmark = 1.5\n",
       "4:10: tunnel.fwmark: is a fraction, not an integer — write a number from 0 to 4294967295, "
       "without quotes"},
      {"peer = [1]\n" + tunnel,
       "1:9: peer[1]: is an integer, not a table — write [[peer]], once for each"},
  });
}

TEST(ConfigRules, MissingParts) {
  expect({
      {"[tunnel]\nprivate_key_file = \"node.key\"\n",
       "1:1: tunnel.interface: is missing — name the device: interface = \"wg0\""},
      {"[tunnel]\ninterface = \"wg0\"\n",
       "1:1: tunnel.private_key_file: is missing — make one with (umask 077; wg genkey > node.key) "
       "and name it: private_key_file = \"node.key\""},
      {tunnel + "[[policy]]\n",
       "4:1: policy[1].action: is missing — write action = \"relay\", \"route\" or \"refuse\""},
      {relay_on + peer + "[[pop]]\npeer = \"sg\"\n",
       "11:1: pop[1].overlay_address: is missing — write the PoP's own address in the tunnel"},
      {relay_on + "[[pop]]\noverlay_address = \"10.9.0.3\"\n",
       "7:1: pop[1].peer: is missing — name the [[peer]] that is this PoP"},
  });
  const TestFolder folder;
  EXPECT_THAT(folder.mistakes(""),
              ElementsAre("node.toml: tunnel: is missing — write [tunnel] with at least interface "
                          "and private_key_file"));
}

TEST(ConfigRules, Ranges) {
  expect({
      {tunnel + "mtu = 575\n",
       "4:7: tunnel.mtu: 575 is out of range — write a number from 576 to 65455, in bytes"},
      {tunnel + "mtu = 65456\n",
       "4:7: tunnel.mtu: 65456 is out of range — write a number from 576 to 65455, in bytes"},
      {tunnel + "mtu = 1279\naddresses = [\"fd00::1/64\"]\n",
       "4:7: tunnel.mtu: 1279 is too small for IPv6 — write at least 1280, or take the IPv6 "
       "addresses out"},
      {tunnel + "listen_port = 65536\n",
       "4:15: tunnel.listen_port: 65536 is out of range — write a number from 0 to 65535"},
      {tunnel + "listen_port = -1\n",
       "4:15: tunnel.listen_port: -1 is out of range — write a number from 0 to 65535"},
      {tunnel + "[relay]\nleg_port = 0\n",
       "5:12: relay.leg_port: 0 is out of range — write a number from 1 to 65535"},
      {tunnel + "[relay]\nidle_timeout_s = 0\n",
       "5:18: relay.idle_timeout_s: 0 is out of range — write a number from 1 to 2592000, in "
       "seconds"},
      {tunnel + "[relay.client_start]\ncap_mbps = 0\n",
       "5:12: relay.client_start.cap_mbps: 0 is out of range — write a number from 1 to 100000, in "
       "Mbps"},
      {tunnel + "[relay.turbo]\ninitcwnd = 0\n",
       "5:12: relay.turbo.initcwnd: 0 is out of range — write a number from 1 to 65535, in "
       "segments"},
  });
  const TestFolder folder;
  for (const char* mtu : {"576", "65455"}) {
    EXPECT_THAT(folder.mistakes(tunnel + "mtu = " + mtu + "\naddresses = [\"10.0.0.1/8\"]\n"),
                IsEmpty());
  }
  EXPECT_THAT(folder.mistakes(tunnel + "mtu = 1280\naddresses = [\"fd00::1/64\"]\n"), IsEmpty());
}

TEST(ConfigRules, Duplicates) {
  const std::string other = R"([[peer]]
public_key = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
)";
  expect({
      {tunnel + "addresses = [\"10.0.0.1/8\", \"10.0.0.1/24\"]\n",
       "4:28: tunnel.addresses[2]: the same address as tunnel.addresses[1] — take one out"},
      {relay_on + peer + other + "name = \"sg\"\n",
       "13:8: peer[2].name: the same name as peer[1], \"sg\" — give each peer a name of its own"},
      {relay_on + peer +
           "[[peer]]\npublic_key = \"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"\n",
       "12:14: peer[2].public_key: the same key as peer[1] — make the two one, or give each "
       "machine a key of its own"},
      {relay_on + peer + other + "allowed_ips = [\"10.9.0.4\", \"10.9.0.3\"]\n",
       "13:28: peer[2].allowed_ips[2]: 10.9.0.3/32 is peer[1].allowed_ips[1] too — an allowed IP "
       "belongs to one peer: take one out"},
      {tunnel + "[[peer]]\npublic_key = \"/iFsLrcSvgtlQTAX86VwokyAMu2dsGYJF3kBjwb8zXY=\"\n" +
           "allowed_ips = [\"10.0.0.1/8\", \"10.0.0.2/8\"]\n",
       "6:30: peer[1].allowed_ips[2]: 10.0.0.0/8 is peer[1].allowed_ips[1] too — an allowed IP "
       "belongs to one peer: take one out"},
  });
}

TEST(ConfigRules, Relay) {
  expect({
      {tunnel + "[relay]\nenabled = true\n",
       "5:11: relay.enabled: a relay needs an address in the tunnel — give [tunnel] addresses, "
       "such as [\"10.9.0.1/24\"]"},
      {relay_on + "accept = \"verified\"\n[relay.early_syn]\nenabled = false\n",
       "7:10: relay.accept: \"verified\" needs early SYN, which is off — set enabled = true in "
       "[relay.early_syn], or write accept = \"early\""},
      {relay_on + "listen_port = 9702\n",
       "5:1: relay.leg_port: the same port as relay.listen_port — give the two listeners different "
       "ports"},
      {relay_on + "listen_port = 5\nleg_port = 5\n",
       "8:12: relay.leg_port: the same port as relay.listen_port — give the two listeners "
       "different ports"},
      {relay_on + "[node]\nmetrics = \"127.0.0.1:9701\"\n",
       "8:11: node.metrics: the same port as relay.listen_port — choose another port"},
  });
}

TEST(ConfigRules, Pops) {
  const std::string pop = "[[pop]]\npeer = \"sg\"\noverlay_address = \"10.9.0.3\"\n";
  expect({
      {relay_on + peer + "[[pop]]\npeer = \"gs\"\noverlay_address = \"10.9.0.3\"\n",
       "12:8: pop[1].peer: no [[peer]] has the name \"gs\" — did you mean \"sg\"?"},
      {relay_on + peer + "[[pop]]\npeer = \"sg\"\noverlay_address = \"10.9.0.4\"\n",
       "13:19: pop[1].overlay_address: 10.9.0.4 is not routed to peer \"sg\" — add it to "
       "allowed_ips of peer[1]"},
      {relay_on + peer + "[[pop]]\npeer = \"sg\"\noverlay_address = \"10.9.0.1\"\n",
       "13:19: pop[1].overlay_address: 10.9.0.1 is this node's own address — write the address "
       "that the PoP has in the tunnel"},
      {relay_on + peer + pop +
           "[[pop]]\nname = \"b\"\npeer = \"sg\"\noverlay_address = " + "\"10.9.0.3\"\n",
       "17:19: pop[2].overlay_address: the same address as pop[1] — each PoP has an address of its "
       "own"},
      {relay_on + peer + pop + "routes = [\"10.1.0.0/16\", \"10.1.2.3/16\"]\n",
       "14:26: pop[1].routes[2]: 10.1.0.0/16 is pop[1].routes[1] too — take one out"},
      {relay_on + peer + pop + "clients = [\"10.1.0.0/16\", \"10.1.2.3/16\"]\n",
       "14:27: pop[1].clients[2]: 10.1.0.0/16 is pop[1].clients[1] too — take one out"},
  });
}

TEST(ConfigRules, TwoPopsOfOneNameOrFamily) {
  const std::string second = R"([[peer]]
name = "fr"
public_key = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
allowed_ips = ["10.9.0.4", "fd00::4", "10.9.0.3/31"]
[[pop]]
peer = "sg"
overlay_address = "10.9.0.3"
routes = ["0.0.0.0/0"]
[[pop]]
peer = "fr"
)";
  expect({
      {relay_on + peer + second + "overlay_address = \"10.9.0.4\"\nname = \"sg\"\n",
       "22:8: pop[2].name: the same name as pop[1], \"sg\" — give each PoP a name of its own"},
      {relay_on + peer + second + "overlay_address = \"fd00::4\"\n",
       "21:19: pop[2].overlay_address: fd00::4 has no counterpart in tunnel.addresses — give the "
       "tunnel an address of the same family"},
  });
  // 10.9.0.3 is in 10.9.0.2/31 of "fr" too, but the longer prefix of "sg" wins.
  const TestFolder folder;
  EXPECT_THAT(folder.mistakes(relay_on + peer + second + "overlay_address = \"10.9.0.4\"\n"),
              IsEmpty());
  // And the same route of two PoPs is fail-over.
  EXPECT_THAT(folder.mistakes(relay_on + peer + second +
                              "overlay_address = \"10.9.0.4\"\nroutes = [\"0.0.0.0/0\"]\n"),
              IsEmpty());
}

TEST(ConfigRules, Policy) {
  const std::string rule = relay_on + peer + "[[policy]]\n";  // up to line 11
  expect({
      {rule + "action = \"allow\"\n",
       "12:10: policy[1].action: \"allow\" is not one of its words — write one of \"relay\", "
       "\"route\", \"refuse\""},
      {rule + "action = \"rout\"\n",
       "12:10: policy[1].action: \"rout\" is not one of its words — did you mean \"route\"?"},
      {rule + "action = \"relay\"\n",
       "12:10: policy[1].action: only TCP can be relayed — write protocol = \"tcp\", and a rule "
       "with action = \"route\" for the rest"},
      {rule + "action = \"relay\"\nprotocol = \"udp\"\n",
       "12:10: policy[1].action: only TCP can be relayed — write protocol = \"tcp\", and a rule "
       "with action = \"route\" for the rest"},
      {tunnel + "[[policy]]\naction = \"relay\"\nprotocol = \"tcp\"\n",
       "5:10: policy[1].action: the relay is disabled — set enabled = true in [relay], or write "
       "action = \"route\""},
      {rule + "action = \"route\"\nports = [80]\n",
       "13:9: policy[1].ports: ports of a protocol that has none — write protocol = \"tcp\" or "
       "\"udp\""},
      {rule + "action = \"route\"\nprotocol = \"icmp\"\nports = [80]\n",
       "14:9: policy[1].ports: ports of a protocol that has none — write protocol = \"tcp\" or "
       "\"udp\""},
      {rule + "action = \"route\"\nprotocol = \"tpc\"\n",
       "13:12: policy[1].protocol: \"tpc\" is not one of its words — did you mean \"tcp\"?"},
      {rule + "action = \"route\"\nprotocol = \"tcp\"\nports = []\n",
       "14:9: policy[1].ports: is an empty list — take it out to mean every port"},
      {rule + "action = \"route\"\nprotocol = \"tcp\"\nports = [80, 0]\n",
       "14:14: policy[1].ports[2]: \"0\" is not a port or a range of ports — write 443 or "
       "\"8000-8100\"; ports are 1 to 65535"},
      {rule + "action = \"route\"\nprotocol = \"udp\"\nports = [\"9-8\"]\n",
       "14:10: policy[1].ports[1]: \"9-8\" ends before it begins — write the lower port first"},
      {rule + "action = \"route\"\nfrom = [\"sgp\"]\n",
       "13:9: policy[1].from[1]: \"sgp\" is neither a prefix nor the name of a peer or a group — "
       "did you mean "
       "\"sg\"?"},
  });
}

// An empty list would mean everybody: who names a peer without addresses means nobody.
TEST(ConfigRules, APeerWithoutAllowedIpsStandsForNothing) {
  expect({{tunnel + R"([[peer]]
name = "sg"
public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
[[policy]]
to = ["sg"]
action = "route"
)",
           "8:7: policy[1].to[1]: peer \"sg\" has no allowed IPs to stand for — give peer[1] its "
           "allowed_ips, or write prefixes"}});
}

}  // namespace
}  // namespace tw::node
