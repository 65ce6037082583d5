#include "node/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string smallest = R"([tunnel]
interface = "wg0"
private_key_file = "node.key"
)";

Prefix prefix(std::string_view text) { return Prefix::parse(text).value_or(Prefix{}); }
IpAddress address(std::string_view text) { return IpAddress::parse(text).value_or(IpAddress{}); }

TEST(Config, SmallestFileHasTheDefaults) {
  const TestFolder folder;
  const auto config = folder.parse(smallest);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->process.control_socket, "/run/thalweg/wg0.sock");
  EXPECT_TRUE(config->process.remember_peers);
  EXPECT_EQ(config->process.log_level, log::Level::info);
  EXPECT_FALSE(config->process.metrics);
  EXPECT_EQ(config->tunnel.interface, "wg0");
  EXPECT_EQ(crypto::key_to_base64(config->tunnel.private_key.view()), TestFolder::private_key);
  EXPECT_EQ(config->tunnel.mtu, default_mtu);
  EXPECT_TRUE(config->tunnel.install_routes);
  EXPECT_EQ(config->tunnel.tuning.cipher, "automatic");
  EXPECT_EQ(config->tunnel.tuning.offloads, (DeviceOffloads{true, true, true, true}));
  EXPECT_EQ(config->tunnel.tuning.queue_limit, 500us);
  EXPECT_EQ(config->tunnel.tuning.dscp.outer(0xff), 0x03);
  EXPECT_THAT(config->peers, IsEmpty());
  EXPECT_FALSE(config->gateway.forward);
  EXPECT_TRUE(config->gateway.clamp_mss);
  EXPECT_FALSE(config->gateway.notrack);
  EXPECT_FALSE(config->gateway.forward_others);
  EXPECT_EQ(config->gateway.flows_per_peer, 4096U);
  EXPECT_FALSE(config->relay.enabled);
  EXPECT_EQ(config->relay.turbo, relay::TurboSettings{});
  EXPECT_EQ(config->relay.client_start, relay::ClientStartSettings{});
  EXPECT_FALSE(config->relay.client_start.enabled);
  EXPECT_EQ(config->relay.limits, relay::RelayLimits{});
  EXPECT_THAT(config->policy, IsEmpty());
}

const std::string everything = R"(
[node]
control_socket = "/run/other.sock"
remember_peers = false
log_level = "debug"
log_file = "/var/log/thalweg.log"
metrics = "[::1]:9586"

[tunnel]
interface = "wg0"
private_key_file = "node.key"
listen_port = 51820
addresses = ["10.9.0.1/24", "fd00::1/64"]
mtu = 1380
fwmark = 0xca6c
install_routes = false
tx_queue_packets = 1000

[[peer]]
public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
preshared_key_file = "peer.psk"
endpoint = "[2001:db8::1]:51820"
allowed_ips = ["10.9.0.2/32", "fd00::2"]
persistent_keepalive_s = 25

[[peer]]
name = "singapore"
public_key = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
endpoint = "sg.example.net:7"
allowed_ips = ["10.9.0.3/32"]

[gateway]
forward = true
masquerade = ["10.9.0.0/24"]
clamp_mss = false
notrack = true
forward_others = true
flows_per_peer = 100

[relay]
enabled = true
listen_port = 1001
leg_port = 1002
accept = "verified"
local_targets = ["192.0.2.7"]
max_connections = 77
max_connections_per_client = 7
pipe_bytes = 65536
coalesce_us = 50
connect_timeout_s = 3
idle_timeout_s = 60
half_close_timeout_s = 9
keepalive_s = 90
user_timeout_s = 30
max_connections_per_pop = 33
max_waiting_legs_per_pop = 12
buffer_bytes = 50000000
buffer_bytes_per_client = 10000000

[relay.early_syn]
max_unclaimed_per_client = 5

[relay.turbo]
initcwnd = 100
socket_buffer_bytes = 1048576
congestion_control = "bbr"

[relay.client_start]
enabled = true
cap_mbps = 80
initcwnd = 40

[[pop]]
peer = "singapore"
overlay_address = "10.9.0.3"
routes = ["198.51.100.0/24"]
legs = "any"
clients = ["10.9.0.2", "fd07::/64"]

[[policy]]
from = ["xTIBA5rb", "10.9.0.64/26"]
to = []
protocol = "tcp"
ports = [80, "8000-8100"]
action = "relay"

[[policy]]
from = ["singapore"]
action = "route"
)";

TEST(Config, ReadsTheTunnelAndItsPeers) {
  const TestFolder folder;
  const auto config = folder.parse(everything);
  ASSERT_TRUE(config) << config.error().front().text();
  EXPECT_EQ(config->process.control_socket, "/run/other.sock");
  EXPECT_FALSE(config->process.remember_peers);
  EXPECT_EQ(config->process.log_level, log::Level::debug);
  EXPECT_EQ(config->process.log_file, "/var/log/thalweg.log");
  EXPECT_EQ(config->process.metrics->text(), "[::1]:9586");
  EXPECT_EQ(config->tunnel.listen_port, 51820);
  EXPECT_THAT(config->tunnel.addresses, ElementsAre(InterfaceAddress{address("10.9.0.1"), 24},
                                                    InterfaceAddress{address("fd00::1"), 64}));
  EXPECT_EQ(config->tunnel.mtu, 1380);
  EXPECT_EQ(config->tunnel.fwmark, 0xca6cU);
  EXPECT_FALSE(config->tunnel.install_routes);
  EXPECT_EQ(config->tunnel.tx_queue_packets, 1000U);
  ASSERT_EQ(config->peers.size(), 2U);
  const PeerConfig& peer = config->peers[0];
  EXPECT_EQ(peer.name, "xTIBA5rb");
  EXPECT_EQ(crypto::key_to_base64(peer.public_key.bytes), TestFolder::public_key);
  EXPECT_EQ(crypto::key_to_base64(peer.preshared_key.view()), TestFolder::preshared_key);
  EXPECT_EQ(peer.endpoint, (EndpointName{"2001:db8::1", 51820}));
  EXPECT_THAT(peer.allowed_ips, ElementsAre(prefix("10.9.0.2/32"), prefix("fd00::2/128")));
  EXPECT_EQ(peer.persistent_keepalive_s, 25);
  EXPECT_EQ(config->peers[1].name, "singapore");
  EXPECT_EQ(config->peers[1].endpoint, (EndpointName{"sg.example.net", 7}));
  EXPECT_TRUE(config->peers[1].preshared_key.is_zero());
  EXPECT_TRUE(config->gateway.forward);
  EXPECT_THAT(config->gateway.masquerade, ElementsAre(prefix("10.9.0.0/24")));
  EXPECT_FALSE(config->gateway.clamp_mss);
  EXPECT_TRUE(config->gateway.notrack);
  EXPECT_TRUE(config->gateway.forward_others);
  EXPECT_EQ(config->gateway.flows_per_peer, 100U);
}

TEST(Config, ReadsTheRelayAndThePolicy) {
  const TestFolder folder;
  const auto config = folder.parse(everything);
  ASSERT_TRUE(config) << config.error().front().text();
  EXPECT_TRUE(config->relay.enabled);
  EXPECT_EQ(config->relay.listen_port, 1001);
  EXPECT_EQ(config->relay.accept, relay::Accept::verified);
  EXPECT_EQ(config->relay.leg_port, 1002);
  EXPECT_THAT(config->relay.local_targets, ElementsAre(prefix("192.0.2.7/32")));
  EXPECT_EQ(config->relay.limits, (relay::RelayLimits{77, 7, 50us, 65536, 3s, 60s, 9s, 90s, 30s, 33,
                                                      12, 50'000'000, 10'000'000}));
  EXPECT_EQ(config->relay.early_syn.max_unclaimed_per_client, 5U);
  EXPECT_EQ(config->relay.turbo, (relay::TurboSettings{100, 1048576, "bbr"}));
  EXPECT_EQ(config->relay.client_start, (relay::ClientStartSettings{true, 80'000'000, 40}));
  ASSERT_EQ(config->pops.size(), 1U);
  EXPECT_EQ(config->pops[0].peer, "singapore");
  EXPECT_EQ(config->pops[0].pop,
            (relay::PopSettings{"singapore",
                                address("10.9.0.3"),
                                {prefix("198.51.100.0/24")},
                                relay::Legs::any,
                                {prefix("10.9.0.2/32"), prefix("fd07::/64")}}));
  // A peer's name stands for its allowed IPs, in place.
  EXPECT_THAT(
      config->policy,
      ElementsAre(
          relay::PolicyRule{{prefix("10.9.0.2/32"), prefix("fd00::2/128"), prefix("10.9.0.64/26")},
                            {},
                            relay::Protocol::tcp,
                            {{80, 80}, {8000, 8100}},
                            relay::Action::relay},
          relay::PolicyRule{
              {prefix("10.9.0.3/32")}, {}, relay::Protocol::any, {}, relay::Action::route}));
}

TEST(Config, APrefixWinsOverAPeerOfThatName) {
  const TestFolder folder;
  const auto config = folder.parse(smallest + R"(
[[peer]]
name = "10.1.0.0/16"
public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
allowed_ips = ["10.9.0.2/32"]
[[policy]]
from = ["10.1.0.0/16"]
action = "route"
)");
  ASSERT_TRUE(config);
  EXPECT_THAT(config->policy[0].from, ElementsAre(prefix("10.1.0.0/16")));
}

TEST(Config, SaysEveryMistakeAtOnceInTheOrderOfTheFile) {
  const TestFolder folder;
  EXPECT_THAT(
      folder.mistakes(R"([tunel]
[tunnel]
interface = "wg/0"
private_key_file = "node.key"
mtu = "1420"
[[peer]]
  endpoint = "host"
[relay]
  max_conections = 5
)"),
      ElementsAre("node.toml:1:2: tunel: unknown table — did you mean \"tunnel\"?",
                  "node.toml:3:13: tunnel.interface: \"wg/0\" has characters that no interface "
                  "name may have — use letters, digits and _ = + . - (not first)",
                  "node.toml:5:7: tunnel.mtu: is a string, not an integer — write a number from "
                  "576 to 65455, in bytes, without quotes",
                  "node.toml:6:1: peer[1].public_key: is missing — write the key that `wg pubkey` "
                  "prints on the peer's machine",
                  "node.toml:7:14: peer[1].endpoint: \"host\" is not HOST:PORT — write "
                  "\"vpn.example.net:51820\", \"192.0.2.1:51820\" or \"[2001:db8::1]:51820\"",
                  "node.toml:9:3: relay.max_conections: unknown key — did you mean "
                  "\"max_connections\"?"));
}

TEST(Config, LoadsAFileAndSaysWhyItCannot) {
  const TestFolder folder;
  folder.write("node.toml", smallest, 0644);
  EXPECT_TRUE(load_config(folder.path() + "node.toml"));
  for (const unsigned mode : {0666U, 0664U, 0646U}) {
    folder.write("open.toml", smallest, mode);
    const auto open = load_config(folder.path() + "open.toml");
    ASSERT_FALSE(open);
    EXPECT_THAT(folder.texts(open.error()),
                ElementsAre("open.toml: may be written by other users — chmod go-w the file"));
  }
  if (::geteuid() == 0) {
    folder.write("theirs.toml", smallest);
    ASSERT_EQ(::chown((folder.path() + "theirs.toml").c_str(), 65534, 65534), 0);
    EXPECT_FALSE(load_config(folder.path() + "theirs.toml"));
  }
  const auto missing = load_config(folder.path() + "absent.toml");
  ASSERT_FALSE(missing);
  EXPECT_THAT(folder.texts(missing.error()),
              ElementsAre("absent.toml: No such file or directory — name a file that exists and "
                          "can be read"));
  const auto directory = load_config(folder.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().front().what, "Is a directory");
}

TEST(Config, ExamplesOfTheDocumentationAreRight) {
  // src/node/config/config_test.cc
  auto top = std::filesystem::path{__FILE__};
  for (int up = 0; up < 4; ++up) top = top.parent_path();
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{top / "docs" / "examples"}) {
    const TestFolder folder;
    std::filesystem::copy_file(entry.path(), folder.path() + "node.toml");
    const auto config = load_config(folder.path() + "node.toml");
    EXPECT_TRUE(config) << entry.path() << '\n' << config.error().front().text();
    ++count;
  }
  EXPECT_GE(count, 3U);
}

}  // namespace
}  // namespace tw::node
