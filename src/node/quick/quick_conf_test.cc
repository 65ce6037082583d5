#include "node/quick/quick_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string interface_part = R"([Interface]
PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=
)";
const std::string peer_part = R"(
[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
)";

QuickConf parsed(const std::string& text) {
  auto conf = parse_quick_conf(text, "folder/wg0.conf");
  EXPECT_TRUE(conf) << conf.error().front().text();
  return conf ? std::move(*conf) : QuickConf{};
}
QuickConf with(const std::string& in_interface, const std::string& in_peer = "") {
  return parsed(interface_part + in_interface + peer_part + in_peer);
}
/// Returns the allowed IPs of a device whose only peer is the last of the file.
std::vector<Prefix> allowed_of(const QuickConf& conf) {
  std::vector<Prefix> prefixes;
  for (const auto& allowed : conf.peers.back().allowed_ips) prefixes.push_back(allowed.prefix);
  return prefixes;
}
std::string first_mistake(const std::string& in_interface) {
  const auto conf = parse_quick_conf(interface_part + in_interface, "folder/wg0.conf");
  return conf ? "" : conf.error().front().text();
}

std::vector<std::string> prefixes(const std::vector<QuickRoute>& routes) {
  std::vector<std::string> texts;
  for (const QuickRoute& route : routes) {
    texts.push_back(route.prefix.text() + (route.is_default ? " default" : ""));
  }
  return texts;
}

TEST(QuickConf, ReadsWhatWgQuickAdds) {
  const QuickConf conf = with(
      "address = 10.9.0.2/24\nDNS = 10.9.0.1, fd00::53 example.net\nMTU = 1380\nTABLE = 0x1234\n"
      "PostUp = echo a=b %i >> %i.log # told\nPreDown = one\nPreDown = two\nSaveConfig = true\n",
      "PresharedKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=\n");
  EXPECT_EQ(conf.tunnel.interface, "wg0");
  EXPECT_THAT(conf.name_servers, ElementsAre("10.9.0.1", "fd00::53"));
  EXPECT_THAT(conf.search_domains, ElementsAre("example.net"));
  EXPECT_TRUE(conf.has_mtu);
  EXPECT_EQ(conf.tunnel.mtu, 1380);
  EXPECT_EQ(conf.table, 0x1234U);
  EXPECT_THAT(conf.hooks.post_up, ElementsAre("echo a=b wg0 >> wg0.log"));
  EXPECT_THAT(conf.hooks.pre_down, ElementsAre("one", "two"));
  EXPECT_TRUE(conf.save_config);
  EXPECT_EQ(conf.extras,
            "TABLE = 0x1234\nPostUp = echo a=b %i >> %i.log\nPreDown = one\nPreDown = two\n"
            "SaveConfig = true\n");
  ASSERT_EQ(conf.peers.size(), 1U);
  EXPECT_TRUE(conf.peers[0].preshared_key);
}

TEST(QuickConf, IsContentWithLittle) {
  const QuickConf conf = parsed("[Interface]\nPostUp = wg set %i private-key key\n");
  EXPECT_TRUE(conf.tunnel.private_key.is_zero());
  EXPECT_FALSE(conf.has_mtu);
  EXPECT_FALSE(conf.table);
  EXPECT_FALSE(conf.save_config);
}

TEST(QuickConf, TablesByTheirWords) {
  EXPECT_FALSE(with("Table = auto\n").table);
  EXPECT_EQ(with("Table = off\n").table, 0U);
  EXPECT_EQ(with("Table = main\n").table, main_table);
}

TEST(QuickConf, TellsMistakesByTheirLine) {
  EXPECT_THAT(first_mistake("Table = seven\n"), HasSubstr("wg0.conf:3:9: Interface.Table"));
  EXPECT_THAT(first_mistake("\nSaveConfig = maybe\n"), HasSubstr("wg0.conf:4:14:"));
  EXPECT_THAT(first_mistake("DNS = 10.9.0.999\n"), HasSubstr("is not an address"));
  EXPECT_THAT(first_mistake("Adress = 10.9.0.1\n"), HasSubstr("unknown key"));
  EXPECT_THAT(first_mistake("Address = 10.9.0.1/33\n"), HasSubstr("wg0.conf:3"));
}

TEST(QuickRoutes, LongestFirstAndNoneThatIsCovered) {
  const QuickConf conf = with(
      "Address = 10.9.0.2/24, fd00::2/64, 10.10.0.2/32\n",
      "AllowedIPs = 10.0.0.0/8, 10.9.0.0/24, 10.9.0.7, 10.10.0.2/32, 192.168.0.0/16, fd00::/64, "
      "fe80::1/128, fd01::/48, 192.168.0.0/16\n");
  EXPECT_THAT(prefixes(quick_routes(conf, allowed_of(conf))),
              ElementsAre("fd01::/48", "10.10.0.2/32", "192.168.0.0/16", "10.0.0.0/8"));
}

TEST(QuickRoutes, DefaultRoutesComeLastAndCoverNothing) {
  const QuickConf conf = with("", "AllowedIPs = 0.0.0.0/0, ::/0, 10.0.0.0/8\n");
  EXPECT_THAT(prefixes(quick_routes(conf, allowed_of(conf))),
              ElementsAre("10.0.0.0/8", "::/0 default", "0.0.0.0/0 default"));
}

TEST(QuickRoutes, ATableOfTheUsersGetsThemAll) {
  const QuickConf conf =
      with("Address = 10.9.0.2/24\nTable = 7\n", "AllowedIPs = 0.0.0.0/0, 10.9.0.0/24\n");
  EXPECT_THAT(prefixes(quick_routes(conf, allowed_of(conf))),
              ElementsAre("10.9.0.0/24", "0.0.0.0/0"));
}

TEST(QuickFirewall, GuardsTheAddressesOfItsFamily) {
  const std::vector<IpAddress> addresses{*IpAddress::parse("10.9.0.2"),
                                         *IpAddress::parse("fd00::2")};
  const std::string v4 = quick_firewall_text("wg0", Family::v4, addresses, 51820);
  EXPECT_THAT(v4, HasSubstr("add table ip wg-quick-wg0\n"));
  EXPECT_THAT(v4, HasSubstr("preraw iifname != \"wg0\" ip daddr 10.9.0.2 fib saddr type != local"));
  EXPECT_THAT(v4, Not(HasSubstr("fd00")));
  EXPECT_THAT(v4, HasSubstr("mark 51820 ct mark set mark"));
  EXPECT_THAT(quick_firewall_text("wg0", Family::v6, addresses, 1), HasSubstr("ip6 daddr fd00::2"));
}

}  // namespace
}  // namespace tw::node
