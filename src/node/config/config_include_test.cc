#include "node/config/config_include.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

/// Lines 1 to 5 of what the tests append to.
const std::string main_file = R"([tunnel]
interface = "wg0"
private_key_file = "node.key"
addresses = ["10.9.0.1/24"]
include = ["peers.d/*.toml"]
)";

std::string peer(const std::string& name, const std::string& key, const std::string& allowed) {
  return "[[peer]]\nname = \"" + name + "\"\npublic_key = \"" + key + "\"\nallowed_ips = [\"" +
         allowed + "\"]\n";
}
const std::string anna = peer("anna", TestFolder::public_key, "10.9.0.2/32");
const std::string ben = peer("ben", TestFolder::other_public_key, "10.9.0.3/32");

class ConfigInclude : public testing::Test {
 protected:
  ConfigInclude() { make_folder("peers.d"); }

  void make_folder(const std::string& name, ::mode_t mode = 0755) const {
    ::mkdir((folder.path() + name).c_str(), mode);
    ::chmod((folder.path() + name).c_str(), mode);
  }

  std::vector<std::string> names(const std::string& toml = main_file) const {
    const auto config = folder.parse(toml);
    if (!config) return folder.texts(config.error());
    std::vector<std::string> found;
    for (const PeerConfig& one : config->peers) found.push_back(one.name);
    return found;
  }

  TestFolder folder;
};

TEST_F(ConfigInclude, PeersStandBehindThoseOfTheFileInTheOrderOfNames) {
  EXPECT_THAT(names(), IsEmpty());
  folder.write("peers.d/b.toml", anna);
  folder.write("peers.d/a.toml", ben);
  folder.write("peers.d/.hidden.toml", "nonsense");
  folder.write("peers.d/a.toml~", "nonsense");
  EXPECT_THAT(names(), ElementsAre("ben", "anna"));
  folder.write("peers.d/b.toml", "# nobody yet\n");
  EXPECT_THAT(names(main_file + anna), ElementsAre("anna", "ben"));
}

TEST_F(ConfigInclude, AFolderAndAFileAreNamedAsWell) {
  folder.write("peers.d/a.toml", anna);
  folder.write("others", ben);
  for (const char* entries : {R"(["peers.d", "others"])", R"(["peers.d/", "./others"])",
                              R"(["peers.d/a.toml", "peers.d/?.toml", "others"])"}) {
    std::string toml = main_file;
    toml.replace(toml.find(R"(["peers.d/*.toml"])"), 18, entries);
    EXPECT_THAT(names(toml), ElementsAre("anna", "ben")) << entries;
  }
  std::string toml = main_file;
  toml.replace(toml.find("peers.d/*"), 9, folder.path() + "peers.d/*");
  EXPECT_THAT(names(toml), ElementsAre("anna"));
}

TEST_F(ConfigInclude, KeyFilesAreRelativeToTheFileThatNamesThem) {
  folder.write("peers.d/anna.psk", std::string{TestFolder::preshared_key} + '\n');
  folder.write("peers.d/a.toml", anna + "preshared_key_file = \"anna.psk\"\n");
  const auto config = folder.parse(main_file);
  ASSERT_TRUE(config);
  EXPECT_EQ(crypto::key_to_base64(config->peers.at(0).preshared_key.view()),
            TestFolder::preshared_key);
}

TEST_F(ConfigInclude, EachMistakeHasItsOwnFileAndLine) {
  folder.write("peers.d/a.toml", anna + "alowed_ips = []\n");
  folder.write("peers.d/b.toml", "\n\n[[peer]]\nname = \"ben\"\n");
  folder.write("peers.d/c.toml", "[[peer]\n");
  EXPECT_THAT(names(main_file + "mtu = 1\n"),
              ElementsAre(StartsWith("node.toml:6:7: tunnel.mtu: "),
                          StartsWith("peers.d/a.toml:5:1: peer[1].alowed_ips: unknown key"),
                          StartsWith("peers.d/b.toml:3:1: peer[1].public_key: is missing"),
                          StartsWith("peers.d/c.toml:1:8: not TOML: ")));
}

TEST_F(ConfigInclude, DuplicatesNameBothPlaces) {
  const std::string tail_name = ", \"anna\" — give each peer a name of its own";
  folder.write("peers.d/a.toml", anna);
  folder.write("peers.d/b.toml", "\n" + anna);
  EXPECT_THAT(
      names(),
      ElementsAre(
          "peers.d/b.toml:3:8: peer[1].name: the same name as peer[1] in peers.d/a.toml, line 1" +
              tail_name,
          StartsWith("peers.d/b.toml:4:14: peer[1].public_key: the same key as peer[1] in "),
          StartsWith("peers.d/b.toml:5:16: peer[1].allowed_ips[1]: 10.9.0.2/32 is "
                     "peer[1].allowed_ips[1] in ")))
      << "of two included files";
  ::unlink((folder.path() + "peers.d/b.toml").c_str());
  EXPECT_THAT(
      names(main_file + anna).front(),
      "peers.d/a.toml:2:8: peer[1].name: the same name as peer[1] in node.toml, line 6" + tail_name)
      << "of the main file and an included one";
  folder.write("peers.d/a.toml", anna + peer("anna", TestFolder::other_public_key, "10.9.0.3/32"));
  EXPECT_THAT(names(),
              ElementsAre("peers.d/a.toml:6:8: peer[2].name: the same name as peer[1]" + tail_name))
      << "of one file";
}

TEST_F(ConfigInclude, OthersMayWriteNothingThatIsIncluded) {
  folder.write("peers.d/a.toml", anna, 0660);
  EXPECT_THAT(names(),
              ElementsAre("peers.d/a.toml: may be written by other users — chmod go-w the file"));
  folder.write("peers.d/a.toml", anna, 0644);
  EXPECT_THAT(names(), ElementsAre("anna"));
  make_folder("peers.d", 0757);
  EXPECT_THAT(names(), ElementsAre(StartsWith("node.toml:5:12: tunnel.include[1]: \"")));
  if (::geteuid() != 0) return;  // to give a file away takes root
  make_folder("peers.d", 0755);
  ASSERT_EQ(::chown((folder.path() + "peers.d/a.toml").c_str(), 1, 1), 0);
  EXPECT_THAT(names(), ElementsAre(StartsWith("peers.d/a.toml: belongs to another user")));
  ASSERT_EQ(::chown((folder.path() + "peers.d").c_str(), 1, 1), 0);
  EXPECT_THAT(names(), ElementsAre(StartsWith("node.toml:5:12: tunnel.include[1]: ")));
}

// Neither may a pipe hold up a reload, nor a device answer.
TEST_F(ConfigInclude, OnlyRegularFilesAreRead) {
  ASSERT_EQ(::mkfifo((folder.path() + "peers.d/pipe.toml").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("/dev/zero", (folder.path() + "peers.d/zero.toml").c_str()), 0);
  make_folder("peers.d/sub.toml");
  ASSERT_EQ(::symlink("nowhere", (folder.path() + "peers.d/torn.toml").c_str()), 0);
  EXPECT_THAT(names(), ElementsAre(StartsWith("peers.d/pipe.toml: is not a regular file"),
                                   StartsWith("peers.d/sub.toml: is not a regular file"),
                                   StartsWith("peers.d/torn.toml: No such file"),
                                   StartsWith("peers.d/zero.toml: is not a regular file")));
}

TEST_F(ConfigInclude, OtherSectionsStayInTheMainFile) {
  folder.write("peers.d/a.toml", "[tunnel]\ninclude = [\"a.toml\"]\n[gatewai]\n");
  EXPECT_THAT(names(),
              ElementsAre("peers.d/a.toml:1:2: tunnel: does not belong into an included file — "
                          "move it to node.toml",
                          StartsWith("peers.d/a.toml:3:2: gatewai: unknown table")));
}

TEST_F(ConfigInclude, WhatIsNamedMustBeThere) {
  const auto mistake_of = [&](const std::string& entry) {
    std::string toml = main_file;
    toml.replace(toml.find("peers.d/*.toml"), 14, entry);
    const auto found = names(toml);
    return found.size() == 1 ? found.front() : std::to_string(found.size());
  };
  EXPECT_THAT(mistake_of("peer.d/*.toml"),
              StartsWith("node.toml:5:12: tunnel.include[1]: \"peer.d/\": No such file"));
  EXPECT_EQ(mistake_of("anna.toml"),
            "anna.toml: No such file or directory — name a file that exists and can be read");
  EXPECT_THAT(mistake_of("*/anna.toml"),
              StartsWith("node.toml:5:12: tunnel.include[1]: \"*/anna.toml\" has a wildcard in"));
  EXPECT_THAT(mistake_of(""), StartsWith("node.toml:5:12: tunnel.include[1]: \"\" is not"));
}

TEST_F(ConfigInclude, RulesAndPopsMayNameIncludedPeers) {
  const std::string rest = R"([relay]
enabled = true
[[pop]]
peer = "anna"
overlay_address = "10.9.0.9"
[[policy]]
from = ["anna"]
to = ["192.0.2.0/24"]
protocol = "tcp"
action = "relay"
)";
  folder.write("peers.d/a.toml", anna);
  EXPECT_THAT(names(main_file + rest),
              ElementsAre("node.toml:10:19: pop[1].overlay_address: 10.9.0.9 is not routed to peer "
                          "\"anna\" — add it to allowed_ips of peer[1] in peers.d/a.toml, line 1"));
  std::string routed = rest;
  routed.replace(routed.find("10.9.0.9"), 8, "10.9.0.2");
  const auto config = folder.parse(main_file + routed);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->policy.at(0).from.at(0).text(), "10.9.0.2/32");
}

// One included file that is wrong from end to end, or many, do not fill the screen.
TEST_F(ConfigInclude, MistakesAreBounded) {
  std::string wrong;
  for (int i = 0; i < 600; ++i) wrong += "[[peer]]\n";
  for (const char* name : {"a", "b", "c"}) {
    folder.write(std::string{"peers.d/"} + name + ".toml", wrong);
  }
  EXPECT_EQ(names().size(), MistakeList::most + 1);
}

}  // namespace
}  // namespace tw::node
