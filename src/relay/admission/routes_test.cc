#include "relay/admission/routes.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace tw::relay {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
PopSettings pop(const char* name, std::initializer_list<const char*> routes) {
  PopSettings settings{.name = name, .overlay_address = {}, .routes = {}};
  for (const char* route : routes) settings.routes.push_back(Prefix::parse(route).value());
  return settings;
}

const PopFilter all = [](std::size_t) { return true; };
std::optional<std::size_t> find(const Routes& routes, const IpAddress& target) {
  const auto choice = routes.find(target, all);
  return choice ? std::optional{choice->pop} : std::nullopt;
}

TEST(Routes, LongestPrefixOverAllPopsWins) {
  const Routes routes{{pop("a", {"10.0.0.0/8", "192.0.2.128/25", "::/0"}),
                       pop("b", {"10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32"}),
                       pop("c", {"10.1.2.3/32"})}};
  EXPECT_EQ(find(routes, ip("10.2.0.1")), 0U);
  EXPECT_EQ(find(routes, ip("10.1.0.1")), 1U);
  EXPECT_EQ(find(routes, ip("10.1.2.3")), 2U);
  EXPECT_EQ(find(routes, ip("192.0.2.200")), 0U);
  EXPECT_EQ(find(routes, ip("192.0.2.100")), 1U);
  EXPECT_EQ(find(routes, ip("2001:db8::1")), 1U);
  EXPECT_EQ(find(routes, ip("2001:db9::1")), 0U);
}

TEST(Routes, NothingCoversMeansDirect) {
  EXPECT_EQ(find(Routes{}, ip("10.0.0.1")), std::nullopt);
  const Routes routes{{pop("a", {"10.0.0.0/8"})}};
  EXPECT_EQ(find(routes, ip("11.0.0.1")), std::nullopt);
  EXPECT_EQ(find(routes, ip("a00::1")), std::nullopt);
}

TEST(Routes, OfTheSamePrefixTheFirstThatCanBeUsed) {
  const Routes routes{{pop("a", {"10.0.0.0/8"}), pop("b", {"10.0.0.0/8"})}};
  EXPECT_EQ(find(routes, ip("10.0.0.1")), 0U);
  const auto without_a = routes.find(ip("10.0.0.1"), [](std::size_t pop) { return pop != 0; });
  ASSERT_TRUE(without_a);
  EXPECT_EQ(without_a->pop, 1U);
  EXPECT_TRUE(without_a->usable);
}

// As a router does when a longer route is withdrawn.
TEST(Routes, AShorterPrefixStandsInForALongerOne) {
  const Routes routes{{pop("a", {"10.1.0.0/16"}), pop("b", {"0.0.0.0/0"})}};
  EXPECT_EQ(routes.find(ip("10.1.0.1"), [](std::size_t pop) { return pop == 1; })->pop, 1U);
}

TEST(Routes, WhenNoneCanBeUsedItNamesTheFirstAndSaysSo) {
  const Routes routes{{pop("a", {"10.0.0.0/8"}), pop("b", {"10.1.0.0/16"})}};
  const auto choice = routes.find(ip("10.1.0.1"), [](std::size_t) { return false; });
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->pop, 1U);
  EXPECT_FALSE(choice->usable);
}

// A connection that came from a PoP does not go back to it.
TEST(Routes, OneMayBeLeftOut) {
  const Routes routes{{pop("a", {"10.0.0.0/8"}), pop("b", {"0.0.0.0/0"})}};
  EXPECT_EQ(routes.find(ip("10.0.0.1"), all, 0)->pop, 1U);
  EXPECT_EQ(routes.find(ip("11.0.0.1"), all, 1), std::nullopt);
}

TEST(Routes, AgreesWithALinearSearch) {
  SeededRandom random{7};
  std::vector<PopSettings> pops(3);
  const auto address = [&] {
    const std::uint64_t bits = random.next();
    return IpAddress::v4({10, static_cast<std::uint8_t>(bits & 3U),
                          static_cast<std::uint8_t>(bits >> 8U & 3U),
                          static_cast<std::uint8_t>(bits >> 16U)});
  };
  for (int i = 0; i < 60; ++i) {
    pops[random.next() % pops.size()].routes.push_back(
        Prefix::of(address(), static_cast<std::uint8_t>(random.next() % 33)));
  }
  const Routes routes{pops};
  for (int i = 0; i < 500; ++i) {
    const IpAddress target = address();
    std::optional<std::size_t> expected;
    int longest = -1;
    for (std::size_t at = 0; at < pops.size(); ++at) {
      for (const Prefix& prefix : pops[at].routes) {
        if (!prefix.contains(target) || prefix.length <= longest) continue;
        longest = prefix.length;
        expected = at;
      }
    }
    EXPECT_EQ(find(routes, target), expected) << target.text();
  }
}

}  // namespace
}  // namespace tw::relay
