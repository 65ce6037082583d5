#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Lines 1 to 13 of what the tests append to.
const std::string two_peers = R"([tunnel]
interface = "wg0"
private_key_file = "node.key"
addresses = ["10.9.0.1/24"]
include = ["peers.d/*.toml"]
[[peer]]
name = "anna"
public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
allowed_ips = ["10.9.0.2/32", "fd09::2/128"]
[[peer]]
name = "ben"
public_key = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
allowed_ips = ["10.9.0.3/32"]
)";
const std::string staff = "[[group]]\nname = \"staff\"\npeers = [\"anna\", \"ben\"]\n";
std::string rule(const std::string& from, const std::string& to) {
  return "[[policy]]\nfrom = [" + from + "]\nto = [" + to + "]\naction = \"route\"\n";
}

class ConfigGroups : public testing::Test {
 protected:
  ConfigGroups() { ::mkdir((folder.path() + "peers.d").c_str(), 0700); }

  std::vector<std::string> mistakes(const std::string& more) const {
    return folder.mistakes(two_peers + more);
  }

  TestFolder folder;
};

std::vector<std::string> texts(const std::vector<Prefix>& prefixes) {
  std::vector<std::string> out;
  for (const Prefix& prefix : prefixes) out.push_back(prefix.text());
  return out;
}

TEST_F(ConfigGroups, StandForWhatTheirPeersHave) {
  const auto config =
      folder.parse(two_peers + staff + rule(R"("staff", "192.0.2.0/24")", R"("ben", "staff")"));
  ASSERT_TRUE(config) << config.error().front().text();
  EXPECT_THAT(texts(config->policy.at(0).from),
              ElementsAre("10.9.0.2/32", "fd09::2/128", "10.9.0.3/32", "192.0.2.0/24"));
  EXPECT_THAT(texts(config->policy.at(0).to),
              ElementsAre("10.9.0.3/32", "10.9.0.2/32", "fd09::2/128", "10.9.0.3/32"));
  EXPECT_THAT(mistakes(staff), IsEmpty()) << "one that no rule names";
}

// Peers and groups stand in any file, and in any order.
TEST_F(ConfigGroups, MayStandInIncludedFiles) {
  folder.write("peers.d/a.toml", "[[group]]\nname = \"all\"\npeers = [\"carl\", \"anna\"]\n");
  folder.write("peers.d/b.toml", "[[peer]]\nname = \"carl\"\npublic_key = \"" +
                                     std::string{TestFolder::preshared_key} +
                                     "\"\nallowed_ips = [\"10.9.0.4/32\"]\n");
  const auto config = folder.parse(two_peers + rule(R"("all")", R"("ben")"));
  ASSERT_TRUE(config) << config.error().front().text();
  EXPECT_THAT(texts(config->policy.at(0).from),
              ElementsAre("10.9.0.4/32", "10.9.0.2/32", "fd09::2/128"));
}

TEST_F(ConfigGroups, MistakesAreSaidWhereTheyAre) {
  EXPECT_THAT(mistakes("[[group]]\nname = \"staff\"\npeers = [\"anna\", \"bem\"]\n"),
              ElementsAre("node.toml:16:18: group[1].peers[2]: no [[peer]] has the name \"bem\" — "
                          "did you mean \"ben\"?"));
  EXPECT_THAT(mistakes("[[group]]\nname = \"staff\"\npeers = [\"anna\", \"anna\"]\n"),
              ElementsAre("node.toml:16:18: group[1].peers[2]: \"anna\" is group[1].peers[1] too — "
                          "take one out"));
  EXPECT_THAT(mistakes("[[group]]\n"),
              ElementsAre(testing::StartsWith("node.toml:14:1: group[1].name: is missing"),
                          testing::StartsWith("node.toml:14:1: group[1].peers: is missing")));
  EXPECT_THAT(
      mistakes(staff + rule(R"("stuff")", R"("ben")")),
      ElementsAre("node.toml:18:9: policy[1].from[1]: \"stuff\" is neither a prefix nor the "
                  "name of a peer or a group — did you mean \"staff\"?"));
}

TEST_F(ConfigGroups, NamesBelongToOne) {
  EXPECT_THAT(mistakes("[[group]]\nname = \"ben\"\npeers = [\"anna\"]\n"),
              ElementsAre("node.toml:15:8: group[1].name: the same name as peer[2] — rules would "
                          "not know which is meant: take another"));
  folder.write("peers.d/a.toml", staff);
  EXPECT_THAT(mistakes(staff),
              ElementsAre("peers.d/a.toml:2:8: group[1].name: the same name as group[1] in "
                          "node.toml, line 14, \"staff\" — make the two one, or give each a name "
                          "of its own"));
}

// An empty list in a rule would mean everything.
TEST_F(ConfigGroups, StandForSomethingWhereARuleNamesThem) {
  const std::string empty = "[[group]]\nname = \"none\"\npeers = []\n";
  EXPECT_THAT(mistakes(empty), IsEmpty());
  EXPECT_THAT(mistakes(empty + rule(R"("none")", R"("ben")")),
              ElementsAre("node.toml:18:9: policy[1].from[1]: group \"none\" has no peers to stand "
                          "for — name its peers, or take the rule out"));
  folder.write("peers.d/a.toml", "[[peer]]\nname = \"carl\"\npublic_key = \"" +
                                     std::string{TestFolder::preshared_key} + "\"\n");
  EXPECT_THAT(mistakes("[[group]]\nname = \"some\"\npeers = [\"anna\", \"carl\"]\n" +
                       rule(R"("anna")", R"("some")")),
              ElementsAre("node.toml:19:7: policy[1].to[1]: peer \"carl\" has no allowed IPs to "
                          "stand for — give peer[1] in peers.d/a.toml, line 1 its allowed_ips, or "
                          "write prefixes"));
}

}  // namespace
}  // namespace tw::node
