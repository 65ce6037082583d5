// The parts of the relay that an operator sees and steers: [relay.log], quic, proxy_protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "node/config/config_setting.h"
#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// Five lines: what is tested begins in the sixth.
const std::string base = R"([tunnel]
interface = "wg0"
private_key_file = "node.key"
addresses = ["10.9.0.1/16"]
[relay]
enabled = true
)";

RelayConfig relay_of(const TestFolder& folder, const std::string& lines) {
  const auto config = folder.parse(base + lines);
  EXPECT_TRUE(config) << lines << (config ? "" : config.error().front().text());
  return config ? config->relay : RelayConfig{};
}

TEST(ConfigRelayLog, EveryKeyIsTaken) {
  const TestFolder folder;
  const relay::LogSettings log = relay_of(folder, R"([relay.log]
connections = true
format = "{client} {outcome}"
sample = 100
file = "/var/log/thalweg/connections.log"
)")
                                     .log;
  EXPECT_TRUE(log.connections);
  EXPECT_EQ(log.format.text(), "{client} {outcome}");
  EXPECT_EQ(log.sample, 100U);
  EXPECT_EQ(log.file, "/var/log/thalweg/connections.log");
}

TEST(ConfigRelayLog, IsOffUnlessItIsAskedFor) {
  const TestFolder folder;
  EXPECT_EQ(relay_of(folder, "").log, relay::LogSettings{});
  EXPECT_FALSE(relay::LogSettings{}.connections);
}

TEST(ConfigRelayLog, AnUnknownFieldNamesItsLineAndTheFieldsThereAre) {
  const TestFolder folder;
  const auto mistakes = folder.mistakes(base + "[relay.log]\nformat = \"{client} {clinet}\"\n");
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_THAT(mistakes.front(), StartsWith("node.toml:8:10: relay.log.format: there is no field "
                                           "\"clinet\" — did you mean {client}? there are {time}"));
  EXPECT_THAT(mistakes.front(), HasSubstr("{first_byte_ms}"));
  EXPECT_THAT(mistakes.front(), HasSubstr("{errno}"));
}

TEST(ConfigRelayLog, MistakesNameTheirPlaceAndWhatMendsThem) {
  const TestFolder folder;
  const std::pair<std::string, std::string> cases[] = {
      {"format = \"{client\"",
       "8:10: relay.log.format: a brace without its other half — write {{ or }} for a brace in the "
       "text"},
      {"format = \"\"", "8:10: relay.log.format: of 0 bytes — write 1 to 1024"},
      {"format = \"{client}\\n\"",
       "8:10: relay.log.format: has a control character — a line is one line of text"},
      {"sample = 0",
       "8:10: relay.log.sample: 0 is out of range — write a number from 1 to 1000000"},
      {"file = \"connections.log\"",
       "8:8: relay.log.file: \"connections.log\" is not an absolute path — begin it with /"},
      {"conections = true",
       "8:1: relay.log.conections: unknown key — did you mean \"connections\"?"}};
  for (const auto& [line, mistake] : cases) {
    EXPECT_THAT(folder.mistakes(base + "[relay.log]\n" + line + "\n"),
                ElementsAre("node.toml:" + mistake))
        << line;
  }
}

TEST(ConfigRelayLog, IsChangedByHand) {
  NodeConfig config;
  config.relay.enabled = true;
  const auto set = [&config](std::string_view key, std::string_view value) {
    auto next = with_setting(config, key, value);
    EXPECT_TRUE(next) << next.error().text();
    if (next) config = *std::move(next);
  };
  set("relay.log.connections", "on");
  set("relay.log.format", "{client} to {target}");
  set("relay.log.sample", "10");
  set("relay.log.file", "/var/log/c");
  EXPECT_TRUE(config.relay.log.connections);
  EXPECT_EQ(config.relay.log.format.text(), "{client} to {target}");
  EXPECT_EQ(config.relay.log.sample, 10U);
  EXPECT_EQ(config.relay.log.file, "/var/log/c");
  set("relay.log.file", "\"\"");
  EXPECT_EQ(config.relay.log.file, "") << "back to the node's own log";
  EXPECT_FALSE(with_setting(config, "relay.log.format", "{clinet}"));
}

TEST(ConfigRelay, QuicIsRoutedUnlessItIsRejected) {
  const TestFolder folder;
  EXPECT_EQ(relay_of(folder, "").quic, Quic::route);
  EXPECT_EQ(relay_of(folder, "quic = \"route\"\n").quic, Quic::route);
  EXPECT_EQ(relay_of(folder, "quic = \"reject\"\n").quic, Quic::reject);
  EXPECT_THAT(folder.mistakes(base + "quic = \"rejct\"\n"),
              ElementsAre("node.toml:7:8: relay.quic: \"rejct\" is not one of its words — did you "
                          "mean \"reject\"?"));
  EXPECT_THAT(folder.mistakes(base + "quic = true\n"),
              ElementsAre(StartsWith("node.toml:7:8: relay.quic: is a boolean, not a string")));
  NodeConfig config;
  config.relay.enabled = true;
  const auto next = with_setting(config, "relay.quic", "reject");
  ASSERT_TRUE(next);
  EXPECT_EQ(next->relay.quic, Quic::reject);
}

TEST(ConfigRelay, ServersThatTakeTheProxyProtocol) {
  const TestFolder folder;
  EXPECT_TRUE(relay_of(folder, "").proxy_protocol.empty());
  const auto servers =
      relay_of(folder, "proxy_protocol = [\"10.1.0.0/16\", \"192.0.2.7/32:443\"]\n").proxy_protocol;
  ASSERT_EQ(servers.size(), 2U);
  EXPECT_EQ(servers[0].prefix.text(), "10.1.0.0/16");
  EXPECT_EQ(servers[0].port, 0);
  EXPECT_EQ(servers[1].prefix.text(), "192.0.2.7/32");
  EXPECT_EQ(servers[1].port, 443);
  EXPECT_THAT(
      folder.mistakes(base + "proxy_protocol = [\"10.1.0.0/16\",\n  \"10.2.0.0/16:0\"]\n"),
      ElementsAre(
          "node.toml:8:3: relay.proxy_protocol[2]: \"10.2.0.0/16:0\" is neither a prefix nor "
          "a prefix with a port — write \"10.1.0.0/16\", \"192.0.2.7/32:443\" or "
          "\"2001:db8::/32:443\""));
  NodeConfig config;
  config.relay.enabled = true;
  config.relay.proxy_protocol = servers;
  const auto next = with_setting(config, "relay.proxy_protocol", "[\"10.3.0.0/16\"]");
  ASSERT_TRUE(next) << next.error().text();
  ASSERT_EQ(next->relay.proxy_protocol.size(), 1U) << "the list before is gone";
  EXPECT_EQ(next->relay.proxy_protocol[0].prefix.text(), "10.3.0.0/16");
}

}  // namespace
}  // namespace tw::node
