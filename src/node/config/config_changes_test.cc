#include "node/config/config_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string before = R"([tunnel]
interface = "wg0"
private_key_file = "node.key"
addresses = ["10.9.0.1/24"]
[[peer]]
name = "anna"
public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
allowed_ips = ["10.9.0.2/32"]
[gateway]
forward = true
masquerade = ["10.9.0.0/24"]
[relay]
enabled = true
)";

class ConfigChanges : public testing::Test {
 protected:
  /// The differences once `part` of the file is `replaced`.
  std::vector<std::string> after(const std::string& part, const std::string& replaced) const {
    std::string text = before;
    const auto at = text.find(part);
    EXPECT_NE(at, std::string::npos);
    text.replace(at, part.size(), replaced);
    const auto now = folder.parse(before), next = folder.parse(text);
    EXPECT_TRUE(now && next) << (next ? "" : next.error().front().text());
    if (!now || !next) return {};
    return config_changes(*now, *next);
  }

  TestFolder folder;
};

TEST_F(ConfigChanges, AreNoneOfTheSameFile) {
  EXPECT_THAT(after("10.9.0.2", "10.9.0.2"), IsEmpty());
}

TEST_F(ConfigChanges, NameKeysWithTheirValues) {
  EXPECT_THAT(after("[relay]\n", "[relay]\npool.low = 20\n"),
              ElementsAre("relay.pool.low: 4, now 20"));
  EXPECT_THAT(after("forward = true", "forward = true\nclamp_mss = false"),
              ElementsAre("gateway.clamp_mss: true, now false"));
}

// Lists, and what has readers of its own: a change that is not named would look like none.
TEST_F(ConfigChanges, NameListsAndKeys) {
  EXPECT_THAT(after("10.9.0.0/24\"]", "10.9.0.0/25\"]"),
              ElementsAre("gateway.masquerade: changed"));
  EXPECT_THAT(after("10.9.0.1/24", "10.9.0.7/24"), ElementsAre("tunnel.addresses: changed"));
  EXPECT_THAT(after("[tunnel]\n", "[tunnel]\ndscp = \"inherit\"\n"),
              ElementsAre("tunnel.dscp: changed"));
  folder.write("other.key", std::string{TestFolder::preshared_key} + '\n');
  EXPECT_THAT(after("node.key", "other.key"), ElementsAre("tunnel.private_key_file: changed"));
}

TEST_F(ConfigChanges, NameWorkers) {
  EXPECT_THAT(after("[gateway]", "[workers]\nmax = 4\n[gateway]"),
              ElementsAre("workers.max: 1, now 4"));
  EXPECT_THAT(after("[gateway]", "[workers]\ncores = \"0-3\"\n[gateway]"),
              ElementsAre("workers.cores: changed"));
  EXPECT_THAT(after("[gateway]", "[workers]\nsteering = \"user\"\n[gateway]"),
              ElementsAre("workers.steering: \"kernel\", now \"user\""));
}

TEST_F(ConfigChanges, NameEntries) {
  EXPECT_THAT(after("name = \"anna\"", "name = \"ben\""),
              ElementsAre("peer anna: removed", "peer ben: added"));
  EXPECT_THAT(after("10.9.0.2/32\"]", "10.9.0.3/32\"]\npreshared_key_file = \"peer.psk\""),
              ElementsAre("peer anna: preshared_key_file, allowed_ips changed"));
  EXPECT_THAT(after("enabled = true\n",
                    "enabled = true\n[[policy]]\nfrom = [\"anna\"]\nto = "
                    "[\"192.0.2.0/24\"]\nprotocol = \"tcp\"\naction = \"relay\"\n"),
              ElementsAre("policy: 0 rules, now 1"));
}

}  // namespace
}  // namespace tw::node
