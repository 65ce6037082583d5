#include "node/config/config_secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// The text of the only mistake of a node whose key file is `name`.
std::string mistake(const TestFolder& folder, const std::string& name) {
  const auto found =
      folder.mistakes("[tunnel]\ninterface = \"wg0\"\nprivate_key_file = '" + name + "'\n");
  return found.size() == 1 ? found.front() : std::to_string(found.size()) + " mistakes";
}

TEST(KeyFile, IsRelativeToTheConfigurationOrAbsolute) {
  const TestFolder folder;
  EXPECT_TRUE(read_key_file("node.key", folder.path()));
  EXPECT_TRUE(read_key_file(folder.path() + "node.key", "/nowhere/"));
  EXPECT_EQ(folder_of("etc/thalweg/node.toml"), "etc/thalweg/");
  EXPECT_EQ(folder_of("node.toml"), "");
}

TEST(KeyFile, WhiteSpaceAroundTheKeyIsAllowed) {
  const TestFolder folder;
  folder.write("node.key", std::string{" \t"} + TestFolder::private_key + "\r\n\n");
  const auto key = read_key_file("node.key", folder.path());
  ASSERT_TRUE(key);
  EXPECT_EQ(crypto::key_to_base64(key->view()), TestFolder::private_key);
}

TEST(KeyFile, OpenToOthersIsRefusedWithTheCommandThatMendsIt) {
  const TestFolder folder;
  for (const unsigned mode : {0640U, 0604U, 0610U, 0601U, 0777U}) {
    folder.write("open.key", TestFolder::private_key, mode);
    EXPECT_EQ(mistake(folder, "open.key"),
              "node.toml:3:20: tunnel.private_key_file: \"open.key\" is open to other users — "
              "chmod 600 open.key");
  }
  folder.write("two words.key", TestFolder::private_key, 0644);
  const auto key = read_key_file("two words.key", folder.path());
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().mend, "chmod 600 '" + folder.path() + "two words.key'");
  folder.write("open.key", TestFolder::private_key, 0400);
  EXPECT_TRUE(read_key_file("open.key", folder.path()));
}

TEST(KeyFile, OfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const TestFolder folder;
  ASSERT_EQ(::chown((folder.path() + "node.key").c_str(), 65534, 65534), 0);
  EXPECT_EQ(mistake(folder, "node.key"),
            "node.toml:3:20: tunnel.private_key_file: \"node.key\" belongs to another user — chown "
            "0 node.key");
}

TEST(KeyFile, MustBeARegularFileThatExists) {
  const TestFolder folder;
  EXPECT_EQ(mistake(folder, "absent.key"),
            "node.toml:3:20: tunnel.private_key_file: \"absent.key\": No such file or directory — "
            "name a file that exists and can be read");
  ASSERT_EQ(::mkfifo((folder.path() + "pipe").c_str(), 0600), 0);
  for (const char* name : {"pipe", "../", "/dev/zero", "/dev/null"}) {
    EXPECT_THAT(mistake(folder, name), HasSubstr("is not a regular file")) << name;
  }
  EXPECT_THAT(mistake(folder, ""), HasSubstr("\"\" is not the name of a file"));
}

TEST(KeyFile, HoldsOneKeyAndNothingElseAndIsNotShown) {
  const TestFolder folder;
  const std::string key = TestFolder::private_key;
  for (const std::string& content :
       {std::string{}, key.substr(0, 43), key + key, key + "\n" + key, "PrivateKey = " + key,
        key + " # mine", key + std::string(300, ' ') + key, std::string(5000, 'A')}) {
    folder.write("wrong.key", content);
    EXPECT_EQ(mistake(folder, "wrong.key"),
              "node.toml:3:20: tunnel.private_key_file: \"wrong.key\" does not hold one key in "
              "base64 — write 44 characters of base64 into it and nothing else, as `wg genkey` "
              "does");
  }
  folder.write("wrong.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  EXPECT_THAT(mistake(folder, "wrong.key"), HasSubstr("holds a key of zeros"));
}

// Wherever a key is put by mistake, no message repeats it.
TEST(KeyFile, KeysInTheWrongPlaceAreNotShown) {
  const TestFolder folder;
  const std::string key = TestFolder::private_key;
  const std::string head = "[tunnel]\ninterface = \"wg0\"\nprivate_key_file = \"node.key\"\n";
  for (const std::string& toml : {
           head + "private_key = \"" + key + "\"\n",
           head + "private_key = " + key + "\n",
           head + key + "\n",
           head + '"' + key + "\" = 1\n",
           head + "log_file = \"" + key + "\"\n",
           head + "[" + key.substr(0, 9) + "]\n[node]\nlog_level = \"" + key + "\"\n",
           head + "[[peer]]\npublic_key = \"" + key.substr(0, 43) + "\"\n",
           head + "[[peer]]\nendpoint = \"" + key + ":51820\"\n",
           head + "[[policy]]\naction=\"route\"\nfrom = [\"PrivateKey=" + key + "\"]\n",
           "[tunnel]\ninterface = \"" + key + "\"\nprivate_key_file = \"" + key + "\"\n",
       }) {
    const auto found = folder.mistakes(toml);
    ASSERT_FALSE(found.empty()) << toml;
    for (const std::string& text : found) {
      EXPECT_THAT(text, Not(HasSubstr(key.substr(5, 12)))) << toml;
      EXPECT_THAT(text, Not(HasSubstr(key.substr(25, 12)))) << toml;
    }
  }
}

TEST(KeyFile, InlineKeysAreSentIntoFiles) {
  const TestFolder folder;
  const std::string key = TestFolder::private_key;
  EXPECT_THAT(
      folder.mistakes("[tunnel]\ninterface = \"wg0\"\nprivate_key_file = \"node.key\"\n"
                      "private_key = \"" +
                      key + "\"\n[[peer]]\npublic_key = \"" + TestFolder::public_key +
                      "\"\npreshared_key = \"" + key + "\"\n"),
      ElementsAre("node.toml:4:1: tunnel.private_key: a secret does not stand in the configuration "
                  "— put it into a file of mode 600 and name that: private_key_file = \"FILE\"",
                  "node.toml:7:1: peer[1].preshared_key: a secret does not stand in the "
                  "configuration — put it into a file of mode 600 and name that: "
                  "preshared_key_file = \"FILE\""));
}

TEST(KeyFile, APeerWithTheNodesOwnKeyIsRefused) {
  const TestFolder folder;
  EXPECT_THAT(folder.mistakes("[tunnel]\ninterface = \"wg0\"\nprivate_key_file = \"node.key\"\n"
                              "[[peer]]\n"
                              "public_key = \"HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\"\n"),
              ElementsAre("node.toml:5:14: peer[1].public_key: is this node's own key — write the "
                          "peer's: it is made on the peer's machine"));
}

}  // namespace
}  // namespace tw::node
