#include "node/config/import/conf_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string whole = R"(# a client
[interface]
PRIVATEKEY = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk= # mine
ListenPort=51820
Address = 10.9.0.2/24, fd00::2/64
 Address = 10.10.0.2
DNS = 10.9.0.1, example.net
MTU = 1380
FwMark = 0xca6c
Table = off
PostUp = echo Secret=FpCyhws9 | wg set %i private-key /dev/stdin
SaveConfig = true

[Peer]
PublicKey=xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
PresharedKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=
AllowedIPs = 10.9.0.1/32, 192.168.0.0/16
AllowedIPs = 192.168.0.0/16
Endpoint = [2001:db8::1]:51820
PersistentKeepalive = 25

[Peer]
PublicKey = TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=
AllowedIPs =
Endpoint = vpn.example.net:5
PersistentKeepalive = off
)";

/// Runs one of the commands that the import prints, in a folder, as its reader would.
int run_shell(const std::string& command, const std::string& folder) {
  std::string script = "cd '" + folder + "' && " + command;
  std::array<char*, 4> argv{const_cast<char*>("sh"), const_cast<char*>("-c"), script.data(),
                            nullptr};
  pid_t pid = 0;
  if (::posix_spawn(&pid, "/bin/sh", nullptr, nullptr, argv.data(), environ) != 0) return -1;
  int status = -1;
  return ::waitpid(pid, &status, 0) == pid ? status : -1;
}

/// Does all that the head of the TOML says.
void make_keys(const std::string& toml, const TestFolder& folder) {
  constexpr std::string_view mark = "#   (umask";
  for (std::size_t at = 0; (at = toml.find(mark, at)) != std::string::npos; ++at) {
    const std::string line = toml.substr(at + 1, toml.find('\n', at) - at - 1);
    EXPECT_EQ(run_shell(line, folder.path()), 0) << line;
  }
}

std::vector<std::string> mistakes(const std::string& conf, const std::string& path = "wg0.conf") {
  const auto toml = import_conf(conf, path);
  std::vector<std::string> texts;
  if (toml) return texts;
  for (const ConfigMistake& mistake : toml.error()) texts.push_back(mistake.text());
  return texts;
}

const std::string head = "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n";
const std::string peer = "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n";

TEST(ConfImport, WhatItWritesIsWhatTheNodeReads) {
  const TestFolder folder;
  folder.write("tun7.conf", whole);
  const auto toml = import_conf_file(folder.path() + "tun7.conf");
  ASSERT_TRUE(toml) << toml.error().front().text();
  make_keys(*toml, folder);
  const auto config = folder.parse(*toml);
  ASSERT_TRUE(config) << config.error().front().text() << '\n' << *toml;
  EXPECT_EQ(config->tunnel.interface, "tun7");
  EXPECT_EQ(crypto::key_to_base64(config->tunnel.private_key.view()), TestFolder::private_key);
  EXPECT_EQ(config->tunnel.listen_port, 51820);
  ASSERT_EQ(config->tunnel.addresses.size(), 3U);
  EXPECT_EQ(config->tunnel.addresses[0].address.text(), "10.9.0.2");
  EXPECT_EQ(config->tunnel.addresses[2].length, 32);
  EXPECT_EQ(config->tunnel.mtu, 1380);
  EXPECT_EQ(config->tunnel.fwmark, 0xca6cU);
  EXPECT_FALSE(config->tunnel.install_routes);
  ASSERT_EQ(config->peers.size(), 2U);
  EXPECT_EQ(crypto::key_to_base64(config->peers[0].public_key.bytes), TestFolder::public_key);
  EXPECT_EQ(crypto::key_to_base64(config->peers[0].preshared_key.view()),
            TestFolder::preshared_key);
  EXPECT_EQ(config->peers[0].allowed_ips.size(), 2U);
  EXPECT_EQ(config->peers[0].endpoint, (EndpointName{"2001:db8::1", 51820}));
  EXPECT_EQ(config->peers[0].persistent_keepalive_s, 25);
  EXPECT_TRUE(config->peers[1].preshared_key.is_zero());
  EXPECT_TRUE(config->peers[1].allowed_ips.empty());
  EXPECT_EQ(config->peers[1].endpoint, (EndpointName{"vpn.example.net", 5}));
  EXPECT_TRUE(config->policy.empty());  // closed
}

TEST(ConfImport, ShowsNoSecretAndSaysWhatHasNoCounterpart) {
  const auto toml = import_conf(whole, "etc/wg0.conf");
  ASSERT_TRUE(toml);
  EXPECT_THAT(*toml, AllOf(Not(HasSubstr("yAnz5TF")), Not(HasSubstr("FpCyhws9"))));
  EXPECT_THAT(*toml, HasSubstr("private_key_file = \"wg0.key\""));
  EXPECT_THAT(*toml, HasSubstr("preshared_key_file = \"wg0-peer1.psk\""));
  EXPECT_THAT(*toml, HasSubstr("#   line 7: DNS: "));
  EXPECT_THAT(*toml, HasSubstr("#   line 11: PostUp: "));
  EXPECT_THAT(*toml, HasSubstr("#   line 12: SaveConfig: "));
  EXPECT_THAT(*toml, HasSubstr("# [[policy]]\n# from = [\"xTIBA5rb\"]\n# action = \"route\"\n"));
}

TEST(ConfImport, TheExampleOfAPolicyIsRightOnceItIsUncommented) {
  const TestFolder folder;
  folder.write("wg0.conf", whole);
  auto toml = import_conf_file(folder.path() + "wg0.conf");
  ASSERT_TRUE(toml);
  make_keys(*toml, folder);
  for (const std::string line :
       {"[gateway]", "forward = true", "[[policy]]", "from = ", "action = "}) {
    const std::size_t at = toml->find("# " + line);
    ASSERT_NE(at, std::string::npos) << line;
    toml->erase(at, 2);
  }
  const auto config = folder.parse(*toml);
  ASSERT_TRUE(config) << config.error().front().text();
  EXPECT_TRUE(config->gateway.forward);
  ASSERT_EQ(config->policy.size(), 1U);
  EXPECT_EQ(config->policy[0].from.size(), 2U);
}

TEST(ConfImport, ADefaultRouteAndADefaultTableAreSaidToDiffer) {
  const auto toml =
      import_conf(head + "Table = 1234\n" + peer + "AllowedIPs = 0.0.0.0/0, ::/0\n", "wg0.conf");
  ASSERT_TRUE(toml);
  EXPECT_THAT(*toml, HasSubstr("line 3: Table: routes go into the main table here"));
  EXPECT_THAT(*toml, HasSubstr("line 6: AllowedIPs: no default route is made for 0.0.0.0/0"));
  EXPECT_THAT(*toml, HasSubstr("line 6: AllowedIPs: no default route is made for ::/0"));
}

TEST(ConfImport, SaysEveryMistakeWithItsPlace) {
  EXPECT_THAT(
      mistakes("MTU = 1400\n[Interface]\r\nListenport = 70000\n  Adress = 10.0.0.1\n"
               "Address = 10.0.0.1/24,  10.0.0.300\nMTU = 12\n[Peer]\nEndpoint = host\n"
               "AllowedIPs = 10.0.0.0/33\n[Pear]\nX = 1\n"),
      ElementsAre(
          "wg0.conf:1:1: stands before any section — begin the file with [Interface]",
          "wg0.conf:2:1: Interface.PrivateKey: is missing — write the key that `wg genkey` prints",
          "wg0.conf:3:14: Interface.ListenPort: \"70000\" is not a number from 0 to 65535 — write "
          "decimal digits alone",
          "wg0.conf:4:3: Interface: unknown key \"Adress\" — did you mean \"Address\"?",
          "wg0.conf:5:25: Interface.Address: \"10.0.0.300\" is not an address with a prefix length "
          "— write ADDRESS/BITS, such as \"10.9.0.1/24\" or \"fd00::1/64\"",
          "wg0.conf:6:7: Interface.MTU: \"12\" is out of range — write a number from 576 to 65455",
          "wg0.conf:7:1: Peer[1].PublicKey: is missing — write the peer's public key",
          "wg0.conf:8:12: Peer[1].Endpoint: \"host\" is not HOST:PORT — write "
          "\"vpn.example.net:51820\", \"192.0.2.1:51820\" or \"[2001:db8::1]:51820\"",
          "wg0.conf:9:14: Peer[1].AllowedIPs: \"10.0.0.0/33\" is not a prefix — write "
          "ADDRESS/BITS, such as \"10.9.0.0/24\" or \"fd00::/64\"",
          "wg0.conf:10:1: unknown section — write [Interface] or [Peer]"));
}

TEST(ConfImport, WhatDoesNotFitTogetherIsNamedAsInTheConf) {
  EXPECT_THAT(
      mistakes(head + "MTU = 1000\nAddress = fd00::1, 127.0.0.1\n" + peer),
      ElementsAre(
          "wg0.conf:3:7: Interface.MTU: 1000 is too small for IPv6 — write at least "
          "1280, or take the IPv6 addresses out",
          "wg0.conf:4:20: Interface.Address[3]: \"127.0.0.1/32\" cannot be the address of a "
          "tunnel — choose a private address that no other network of yours uses"));
  EXPECT_THAT(mistakes(""), ElementsAre("wg0.conf: Interface: is missing — begin the file with "
                                        "[Interface]"));
}

// The import has what the device would have: `wg` changes a peer twice, and an allowed IP belongs
// to the peer that was given it last.
TEST(ConfImport, RepetitionsAreWhatTheDeviceMakesOfThem) {
  const std::string other = "[Peer]\nPublicKey = TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=\n";
  const auto toml = import_conf(
      head + "MTU = 1300\nMTU = 1400\n" + peer +
          "AllowedIPs = 10.0.0.0/8\nPersistentKeepalive = 5\nEndpoint = 192.0.2.1:1\n" +
          "[Interface]\nListenPort = 7\n" + other + "AllowedIPs = 10.1.0.0/16, 10.2.0.0/16\n" +
          peer + "AllowedIPs = 10.2.0.0/16\nEndpoint = 192.0.2.2:2\n",
      "wg0.conf");
  ASSERT_TRUE(toml) << toml.error().front().text();
  EXPECT_THAT(*toml,
              AllOf(HasSubstr("mtu = 1400\n"), HasSubstr("listen_port = 7\n"),
                    HasSubstr("endpoint = \"192.0.2.2:2\"\nallowed_ips = "
                              "[\"10.2.0.0/16\"]\npersistent_keepalive_s = 5\n"),
                    HasSubstr("allowed_ips = [\"10.1.0.0/16\"]\n"), Not(HasSubstr("10.0.0.0/8"))));
  EXPECT_THAT(*toml, HasSubstr("line 15: Peer[3] is the peer of Peer[1]: the two are one here"));
  EXPECT_THAT(*toml, HasSubstr("line 17: AllowedIPs: 10.2.0.0/16 was Peer[2]'s before"));
}

TEST(ConfImport, TheFileNamesTheInterface) {
  for (const char* path : {"wg0", "wg0.toml", "sixteen-letters-.conf", "a b.conf", ".conf",
                           "wg0;reboot.conf", "$(reboot).conf", "-n.conf", "wg0\n.conf"}) {
    const auto found = mistakes(head, path);
    ASSERT_EQ(found.size(), 1U) << path;
    EXPECT_THAT(found[0], HasSubstr("rename it: INTERFACE.conf"));
  }
}

TEST(ConfImport, KeysInTheWrongPlaceAreNotShown) {
  const std::string key = TestFolder::private_key;
  for (const std::string& conf :
       {"[Interface]\nPrivateKey = " + key.substr(0, 43) + '\n',
        "[Interface]\nPrivateKey " + key + '\n', "[Interface]\n" + key + '\n',
        "[Interface]\nPrivateKey = x" + key + '\n', head + "PrivatKey = " + key + '\n',
        head + "Address = " + key + '\n', head + "[Peer]\nPublicKey = " + key.substr(1) + '\n',
        head + peer + "PresharedKey = " + key + key + '\n', "[" + key + "]\n",
        head + peer + "Endpoint = " + key + ":5\n", head + "FwMark = " + key + '\n'}) {
    const auto found = mistakes(conf);
    ASSERT_FALSE(found.empty()) << conf;
    for (const std::string& text : found) {
      EXPECT_THAT(text, Not(HasSubstr(key.substr(5, 12)))) << conf;
    }
  }
}

}  // namespace
}  // namespace tw::node
