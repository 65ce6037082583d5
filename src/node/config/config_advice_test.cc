#include "node/config/config_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre, testing::IsEmpty;

// Two PoPs, one of which is the way to everywhere, and a client.
const std::string pops = R"(
[tunnel]
interface = "tw0"
private_key_file = "node.key"
addresses = ["10.9.0.1/24", "fd00::1/64"]
[[peer]]
name = "first"
public_key = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
allowed_ips = ["10.9.0.2", "10.1.0.0/16", "fd01::/64"]
[[peer]]
name = "exit"
public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
allowed_ips = ["10.9.0.3", "0.0.0.0/0"]
[relay]
enabled = true
RELAY
[[pop]]
peer = "first"
overlay_address = "10.9.0.2"
POP
[[pop]]
peer = "exit"
overlay_address = "10.9.0.3"
[[policy]]
from = [FROM]
protocol = "tcp"
action = "relay"
)";

std::vector<std::string> advice(std::string from, const std::string& pop = "",
                                const std::string& relay = "") {
  std::string text = pops;
  for (const auto& [word, value] : {std::pair<std::string, std::string>{"RELAY", relay},
                                    {"POP", pop},
                                    {"FROM", std::move(from)}}) {
    text.replace(text.find(word), word.size(), value);
  }
  const TestFolder folder;
  const auto config = folder.parse(text);
  EXPECT_TRUE(config) << config.error().front().text();
  if (!config) return {};
  return folder.texts(advice_on(*config, folder.path() + "node.toml"));
}

TEST(ConfigAdvice, NothingWhereSomebodyComes) {
  EXPECT_THAT(advice("\"10.1.0.0/24\", \"first\""), IsEmpty());
  EXPECT_THAT(advice("\"fd07::/64\""), IsEmpty()) << "nobody's: either PoP may name it";
  EXPECT_THAT(advice("\"10.0.0.0/8\""), IsEmpty());
  EXPECT_THAT(advice(""), IsEmpty());
}

TEST(ConfigAdvice, ALineThatOnlyAPopCouldComeByThatMayNot) {
  EXPECT_THAT(advice("\"10.8.0.0/16\""),
              ElementsAre("node.toml: policy[1].from: 10.8.0.0/16 belongs to peer \"exit\" by its "
                          "0.0.0.0/0: no PoP may name clients of it — write clients = "
                          "[\"10.8.0.0/16\"] in the [[pop]] that they come by"));
  EXPECT_THAT(advice("\"10.9.0.1\", \"fd00::1\"").size(), 2U);
  EXPECT_THAT(advice("\"10.8.0.0/16\"", "clients = [\"10.8.0.0/16\"]"), IsEmpty());
  EXPECT_THAT(advice("\"10.8.0.0/16\"", "", "client_devices = [\"lan0\"]"), IsEmpty());
}

TEST(ConfigAdvice, APopThatNeedProveNothing) {
  EXPECT_THAT(advice("\"first\"", "legs = \"any\""),
              ElementsAre("node.toml: pop[1].legs: \"any\" serves whatever comes from 10.9.0.2 as "
                          "this PoP — take the line out when the PoP has been upgraded"));
}

TEST(ConfigAdvice, AFirewallThatLetsAnswersInOnly) {
  const auto of = [](const std::string& gateway) {
    return advice("\"first\"", "", "[gateway]\n" + gateway);
  };
  EXPECT_THAT(
      of("notrack = true"),
      ElementsAre("node.toml: gateway.notrack: a firewall of this machine that lets "
                  "answers in by `ct state established` drops those of the tunnel — let `udp dport "
                  "PORT` in, and `udp sport PORT` out, by rules of their own, or take the "
                  "line out"));
  EXPECT_THAT(of("notrack = false"), IsEmpty());
}

}  // namespace
}  // namespace tw::node
