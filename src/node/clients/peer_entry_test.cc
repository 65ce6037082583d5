#include "node/clients/peer_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

const std::string tunnel = R"([tunnel]
interface = "wg0"
private_key_file = "node.key"
include = ["one.toml", "peers.d/*.toml"]
)";

crypto::PublicKey key_of(const char* text) { return {*crypto::key_from_base64(text)}; }

TEST(ClientName, IsAFilesName) {
  for (const char* name : {"a", "anna", "Anna_2", "phone-01", "a.b"}) {
    EXPECT_TRUE(check_client_name(name)) << name;
  }
  for (const std::string& name :
       {std::string{}, std::string{"."}, std::string{"../a"}, std::string{".a"}, std::string{"-a"},
        std::string{"a b"}, std::string{"a/b"}, std::string{"a\"b"}, std::string{"a\nb"},
        std::string{"ä"}, std::string(61, 'a'), std::string("a\0b", 3)}) {
    EXPECT_FALSE(check_client_name(name)) << name;
  }
}

TEST(PeerEntry, IsReadAsItWasMeant) {
  const TestFolder folder;
  ASSERT_EQ(::mkdir((folder.path() + "peers.d").c_str(), 0700), 0);
  folder.write("one.toml", "# nobody\n");
  folder.write("peers.d/anna.toml",
               peer_entry("anna", key_of(TestFolder::public_key),
                          {*IpAddress::parse("10.9.0.2"), *IpAddress::parse("fd09::2")}));
  const auto config = folder.parse(tunnel);
  ASSERT_TRUE(config) << config.error().front().text();
  ASSERT_EQ(config->peers.size(), 1U);
  EXPECT_EQ(config->peers[0].name, "anna");
  EXPECT_EQ(config->peers[0].public_key, key_of(TestFolder::public_key));
  EXPECT_EQ(config->peers[0].allowed_ips.at(0).text(), "10.9.0.2/32");
  EXPECT_EQ(config->peers[0].allowed_ips.at(1).text(), "fd09::2/128");
}

TEST(PeerPath, IsInTheFirstFolderThatTakesIt) {
  const std::string file = "/etc/thalweg/node.toml";
  EXPECT_EQ(peer_path(file, {}, "anna"), std::nullopt);
  EXPECT_EQ(peer_path(file, {"anna.toml"}, "anna"), std::nullopt) << "one file is somebody's own";
  EXPECT_EQ(peer_path(file, {"x.toml", "b-*.toml", "peers.d/*.toml", "other/*"}, "anna"),
            "/etc/thalweg/peers.d/anna.toml");
  EXPECT_EQ(peer_path("node.toml", {"/srv/peers/"}, "anna"), "/srv/peers/anna.toml");
}

TEST(PeerPlaces, AreThoseOfEachFile) {
  const TestFolder folder;
  ASSERT_EQ(::mkdir((folder.path() + "peers.d").c_str(), 0700), 0);
  const std::string one =
      "\n[[peer]]\npublic_key = \"" + std::string{TestFolder::public_key} + "\"\n";
  folder.write("node.toml", tunnel + "[[peer]]\nname = \"main\"\n");
  folder.write("one.toml", one);
  folder.write("peers.d/a.toml", one + one);
  const auto places = peer_places(folder.path() + "node.toml", {"one.toml", "peers.d/*.toml"});
  ASSERT_TRUE(places) << places.error().text();
  ASSERT_EQ(places->size(), 4U);
  EXPECT_EQ((*places)[0].name, "main");
  EXPECT_FALSE((*places)[0].included);
  EXPECT_EQ((*places)[1].name, "xTIBA5rb") << "the default";
  EXPECT_TRUE((*places)[1].included && (*places)[1].alone);
  EXPECT_EQ((*places)[1].line, 2U);
  EXPECT_FALSE((*places)[2].alone);
  EXPECT_EQ((*places)[3].line, 5U);
}

// The rest of the file is the owner's, to the byte.
TEST(Renamed, ChangesTheNameAlone) {
  const auto change = [](const std::string& text) {
    const auto changed = renamed(text, "ben");
    return changed ? *changed : changed.error().text();
  };
  EXPECT_EQ(change("# anna's\r\n[[peer]]  # x\n  name   =  'anna'  # anna\nk = \"anna\"\n"),
            "# anna's\r\n[[peer]]  # x\n  name   =  \"ben\"  # anna\nk = \"anna\"\n");
  EXPECT_EQ(change("[[peer]]\npublic_key = \"k\"\n"),
            "[[peer]]\nname = \"ben\"\npublic_key = \"k\"\n");
  EXPECT_EQ(change("[[peer]]"), "[[peer]]\nname = \"ben\"\n");
  EXPECT_EQ(change("peer = [{ name = \"anna\", k = 1 }]\n"),
            "peer = [{ name = \"ben\", k = 1 }]\n");
  // Guessed at, these would be spoilt.
  for (const char* text :
       {"[[peer]]\nname = \"\"\"\nanna\"\"\"\n", "[[peer]]\nname = \"an\\\"na\"\n",
        "[[peer]]\n[[peer]]\n", "", "[[peer", "peer = [{ k = 1 }]\n"}) {
    EXPECT_THAT(change(text), ::testing::HasSubstr("change it there")) << text;
  }
}

}  // namespace
}  // namespace tw::node
