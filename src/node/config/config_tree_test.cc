#include "node/config/config_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tw::node {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::string mistake(std::string_view text) {
  const auto tree = read_tree(text, "f");
  return tree ? "none" : tree.error().text();
}

TEST(ConfigTree, KeepsValuesAndPlaces) {
  const auto tree = read_tree("[t]\n  s = \"x\"\n  n = -3\n[[l]]\n b = true\n[[l]]\n", "f");
  ASSERT_TRUE(tree);
  ASSERT_EQ(tree->children.size(), 2U);
  const ConfigNode& list = tree->children[0];
  EXPECT_EQ(list.name, "l");
  ASSERT_EQ(list.children.size(), 2U);
  EXPECT_TRUE(list.children[0].children[0].boolean);
  EXPECT_EQ(list.children[1].place.line, 6U);
  const ConfigNode& table = tree->children[1];
  EXPECT_EQ(table.kind, ConfigNode::Kind::table);
  EXPECT_EQ(table.children[0].integer, -3);
  EXPECT_EQ(table.children[1].text, "x");
  EXPECT_EQ(table.children[1].name_place.column, 3U);
  EXPECT_EQ(table.children[1].place.column, 7U);
}

TEST(ConfigTree, SyntaxErrorsHaveTheirPlace) {
  EXPECT_THAT(mistake("a = 1\nb = \n"), HasSubstr("f:2:"));
  EXPECT_THAT(mistake("a = 1\na = 2\n"), HasSubstr("f:2:"));
  EXPECT_THAT(mistake("[t\n"), HasSubstr("not TOML"));
  EXPECT_THAT(mistake("a = fals\n[b]\n"), AllOf(HasSubstr("saw 'fals"), Not(HasSubstr("\n"))));
  EXPECT_THAT(mistake("a = \"\xff\"\n"), HasSubstr("f:1:"));
  EXPECT_THAT(mistake(std::string_view{"a = \0", 5}), HasSubstr("f:1:"));
}

// The library would follow these until the stack ends.
TEST(ConfigTree, DeepNestingIsAMistake) {
  EXPECT_EQ(mistake("x = 1\n" + repeated("a.", 500'000) + "a = 1\n"),
            "f:2:34: nested deeper than any key of ours — quote strings such as \"10.0.0.0/8\", "
            "and see docs/configuration.md");
  EXPECT_THAT(mistake('[' + repeated("'a'.", 500'000) + "a]\n"), HasSubstr("nested deeper"));
  EXPECT_THAT(mistake("a = \"\"\"\n\"\"\"\n[" + repeated("a.", 100) + "a]\n"), HasSubstr("f:3:"));
  EXPECT_NE(mistake("a = " + repeated("[", 500'000)), "none");
  EXPECT_THAT(mistake("a = " + repeated("[", 200) + repeated("]", 200)),
              HasSubstr("nested deeper"));
  EXPECT_NE(mistake(repeated("a = {", 500'000)), "none");
}

TEST(ConfigTree, DotsInStringsAndCommentsDoNotNest) {
  const std::string dots(100, '.');
  for (const std::string& text :
       {"a = \"" + dots + "\\\"" + dots + "\"", "a = '" + dots + "\\'", "# \" ' " + dots,
        "a = \"\"\"\n" + dots + "\"\n" + dots + "\"\"\"", "a = '''" + dots + "'\n'''",
        "a = \"\"\"x\"\"\"\"\" # " + dots}) {
    EXPECT_EQ(mistake(text), "none") << text;
  }
}

TEST(ConfigTree, AHugeTextIsRefusedUnread) {
  EXPECT_EQ(mistake(std::string(largest_config_bytes + 1, '\n')),
            "f: larger than 16 MiB — is it the right file?");
}

}  // namespace
}  // namespace tw::node
