#include "relay/admission/path_choice.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};
IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
const IpAddress near_one = ip("192.0.2.80");

TEST(PathChoice, WhatIsNotKnownGoesByItsPop) {
  PathChoice choice;
  EXPECT_FALSE(choice.prefers_direct(near_one, 200ms, start));
  choice.measured(near_one, 10ms, start);
  EXPECT_FALSE(choice.prefers_direct(near_one, Duration{0}, start)) << "nor is the leg";
}

TEST(PathChoice, DirectlyWhereThatIsShorterThanTheLegAlone) {
  PathChoice choice;
  choice.measured(near_one, 100ms, start);
  EXPECT_TRUE(choice.prefers_direct(near_one, 200ms, start));
  EXPECT_TRUE(choice.prefers_direct(ip("192.0.2.1"), 200ms, start)) << "the same network";
  EXPECT_FALSE(choice.prefers_direct(ip("192.0.3.1"), 200ms, start));
  choice.measured(ip("2001:db8:1::1"), 100ms, start);
  EXPECT_TRUE(choice.prefers_direct(ip("2001:db8:1:ffff::9"), 200ms, start));
  EXPECT_FALSE(choice.prefers_direct(ip("2001:db8:2::1"), 200ms, start));
}

TEST(PathChoice, StaysWithItsChoiceWhileBothAreAlike) {
  PathChoice choice;
  choice.measured(near_one, 195ms, start);
  EXPECT_FALSE(choice.prefers_direct(near_one, 200ms, start));
  choice.measured(near_one, 150ms, start);
  EXPECT_TRUE(choice.prefers_direct(near_one, 200ms, start));
  choice.measured(near_one, 205ms, start);
  EXPECT_TRUE(choice.prefers_direct(near_one, 200ms, start));
  choice.measured(near_one, 250ms, start);
  EXPECT_FALSE(choice.prefers_direct(near_one, 200ms, start));
}

TEST(PathChoice, ForgetsWhatItHasNotMeasuredForLong) {
  PathChoice choice;
  choice.measured(near_one, 100ms, start);
  EXPECT_FALSE(choice.prefers_direct(near_one, 200ms, start + PathChoice::memory));
}

TEST(PathChoice, MeasuresANetworkInUseOnceAMinute) {
  PathChoice choice;
  EXPECT_TRUE(choice.wants_measure(near_one, start));
  EXPECT_FALSE(choice.wants_measure(near_one, start + 1s));
  choice.measured(near_one, 100ms, start + 1s);
  EXPECT_FALSE(choice.wants_measure(near_one, start + 60s));
  EXPECT_TRUE(choice.wants_measure(near_one, start + 61s));
}

// A client that scans the world does not fill the memory.
TEST(PathChoice, IsBounded) {
  PathChoice choice;
  const auto scan = [&](std::uint8_t first, Instant now) {
    std::size_t asked = 0;
    for (int i = 0; i < 1 << 13; ++i) {
      const auto second = static_cast<std::uint8_t>(i >> 8), third = static_cast<std::uint8_t>(i);
      asked += choice.wants_measure(IpAddress::v4({first, second, third, 1}), now) ? 1 : 0;
    }
    return asked;
  };
  EXPECT_EQ(scan(10, start), PathChoice::most_networks);
  EXPECT_EQ(choice.networks(), PathChoice::most_networks);
  EXPECT_EQ(scan(11, start + PathChoice::memory), PathChoice::most_networks) << "old ones go";
  EXPECT_EQ(choice.networks(), PathChoice::most_networks);
}

}  // namespace
}  // namespace tw::relay
