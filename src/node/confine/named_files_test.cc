#include "node/confine/named_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include "node/config/keys/key_list.h"
#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NamedFiles, KeysAreReadAndLogsAreWritten) {
  const NamedFiles files = named_files(R"(
[node]
log_file = "/var/log/node"
control_socket = "/run/other.sock"
[tunnel]
private_key_file = "node.key"
[[peer]]
name = "/etc/passwd"
preshared_key_file = "/keys/one"
[[peer]]
preshared_key_file = "sub/two"
[relay.log]
file = "/var/log/connections"
)",
                                       "/etc/thalweg/thalweg.toml");
  EXPECT_THAT(files.readable,
              ElementsAre("/etc/thalweg/node.key", "/etc/thalweg/sub/two", "/keys/one"));
  EXPECT_THAT(files.appendable, ElementsAre("/var/log/connections", "/var/log/node"));
}

// The broker knows no key by name: a new one must fit its rule.
TEST(NamedFiles, EveryKeyThatNamesAFileIsKnown) {
  for (const KeyFacts& key : all_keys()) {
    const bool is_file = key.type == "file name" || key.type == "path";
    if (!is_file || key.name == "control_socket") continue;
    const std::string open = key.repeated ? "[[" : "[", close = key.repeated ? "]]" : "]";
    const NamedFiles files = named_files(
        open + std::string{key.table} + close + "\n" + std::string{key.name} + " = \"/here\"\n",
        "x");
    const auto& found = key.type == "path" ? files.appendable : files.readable;
    EXPECT_THAT(found, ElementsAre("/here")) << key.path();
  }
}

TEST(NamedFiles, AFileElsewhereIsNone) {
  const NamedFiles files =
      named_files("[other]\nfile = \"/etc/shadow\"\n[relay]\nlog = \"x\"\n", "x");
  EXPECT_THAT(files.readable, IsEmpty());
  EXPECT_THAT(files.appendable, IsEmpty());
}

TEST(NamedFiles, WhatIsIncludedNamesFilesToo) {
  const TestFolder folder;
  ASSERT_EQ(::mkdir((folder.path() + "peers.d").c_str(), 0700), 0);
  folder.write("peers.d/a.toml",
               "include = [\"/etc\"]\n[tunnel]\ninclude = [\"/etc\"]\n"
               "[node]\nlog_file = \"/var/log/other\"\n"
               "[[peer]]\npreshared_key_file = \"a.psk\"\n");
  folder.write("peers.d/b.toml", "[[peer]]\npreshared_key_file = \"/b.psk\"\n", 0666);
  NamedFiles files = named_files(
      "[other]\ninclude = [\"/etc\"]\n[tunnel]\ninclude = "
      "[\"peers.d/*.toml\", \"*/x\", 7, \"one.toml\"]\n",
      folder.path() + "node.toml");
  EXPECT_THAT(files.readable, IsEmpty());
  add_included(files);
  const std::string in = folder.path();
  // The second file is one that others may write: the node refuses it, and its key is not named.
  EXPECT_THAT(files.readable,
              testing::UnorderedElementsAre(in + "one.toml", in + "peers.d/", in + "peers.d/a.toml",
                                            in + "peers.d/a.psk", in + "peers.d/b.toml"));
  EXPECT_THAT(files.appendable, IsEmpty());
}

TEST(NamedFiles, WhatIsNoTomlNamesNothing) {
  const NamedFiles files = named_files("private_key_file = \"/a\"\n[", "x");
  EXPECT_THAT(files.readable, IsEmpty());
}

}  // namespace
}  // namespace tw::node
