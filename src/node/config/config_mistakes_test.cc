#include "node/config/config_mistakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tw::node {
namespace {

TEST(ConfigMistake, TextHasPlaceKeyWhatAndMend) {
  EXPECT_EQ((ConfigMistake{"rc.toml", 12, 3, "peer[2].endpoint", "is wrong", "mend it"}.text()),
            "rc.toml:12:3: peer[2].endpoint: is wrong — mend it");
  EXPECT_EQ((ConfigMistake{"rc.toml", 0, 0, "", "is gone", ""}.text()), "rc.toml: is gone");
}

TEST(MistakeList, TakesThePlaceOfTheNearestThingThatWasRemembered) {
  MistakeList mistakes{"f"};
  mistakes.remember("peer[2]", {7, 1});
  mistakes.remember("peer[2].allowed_ips", {9, 15});
  mistakes.remember("peer[2].allowed_ips[1]", {9, 16});
  EXPECT_EQ(mistakes.place_of("peer[2].allowed_ips[1]").column, 16U);
  EXPECT_EQ(mistakes.place_of("peer[2].allowed_ips[8]").column, 15U);
  EXPECT_EQ(mistakes.place_of("peer[2].name").line, 7U);
  EXPECT_EQ(mistakes.place_of("tunnel.mtu").line, 0U);
}

TEST(MistakeList, KeepsTheOrderOfTheFileAndABound) {
  MistakeList mistakes{"f"};
  mistakes.add_at({3, 1}, "c", "", "");
  mistakes.add_at({1, 9}, "b", "", "");
  mistakes.add_at({1, 2}, "a", "", "");
  for (std::size_t i = 0; i < 3 * MistakeList::most; ++i) mistakes.add_at({4, 1}, "d", "", "");
  const auto taken = mistakes.take();
  ASSERT_EQ(taken.size(), MistakeList::most + 1);
  EXPECT_EQ(taken[0].what, "more than 500 mistakes");
  EXPECT_EQ(taken[1].key, "a");
  EXPECT_EQ(taken[2].key, "b");
  EXPECT_EQ(taken[3].key, "c");
  EXPECT_TRUE(mistakes.empty());
}

TEST(Nearest, FindsSlipsAndNothingElse) {
  const std::vector<std::string> words{"listen_port", "leg_port", "enabled", "mtu"};
  EXPECT_EQ(nearest("listen-port", words), "listen_port");
  EXPECT_EQ(nearest("elg_port", words), "leg_port");
  EXPECT_EQ(nearest("enable", words), "enabled");
  EXPECT_EQ(nearest("mut", words), "mtu");
  EXPECT_EQ(nearest("colour", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(10'000, 'm'), words), "");
  EXPECT_EQ(nearest("mtu", {}), "");
}

TEST(Shown, IsOneLineOfBoundedLengthWithoutKeys) {
  EXPECT_EQ(shown("a\nb\"c\x7f"), "\"a?b?c?\"");
  EXPECT_EQ(shown(std::string(61, '-')), '"' + std::string(60, '-') + "…\"");
  // Cut between characters, not inside one.
  EXPECT_EQ(shown(std::string(59, '-') + "éé"), '"' + std::string(59, '-') + "…\"");
  EXPECT_EQ(shown("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="), "(what may be a key)");
  EXPECT_EQ(shown("x = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk"), "(what may be a key)");
}

TEST(LooksLikeKey, KnowsKeysWithAndWithoutPadding) {
  EXPECT_TRUE(looks_like_key("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="));
  EXPECT_TRUE(looks_like_key("/Anz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="));
  EXPECT_TRUE(looks_like_key("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk"));
  EXPECT_FALSE(looks_like_key("node.key"));
  EXPECT_FALSE(looks_like_key(""));
  EXPECT_FALSE(looks_like_key("/etc/thalweg/keys/that/have/a/long/name/abc"));
}

}  // namespace
}  // namespace tw::node
