#include "relay/pops/pop_health.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};
// A pool that was well, and one that cannot make a leg.
constexpr LegSourceState well{.idle = 4, .opened = 10};
constexpr LegSourceState failing{.failures_in_row = 1};

TEST(PopHealth, IsTrustedUntilSomethingSpeaksAgainstIt) {
  EXPECT_TRUE(PopHealth{}.is_usable(well, start));
  EXPECT_TRUE(PopHealth{}.is_usable({}, start));  // nothing has been tried yet
}

TEST(PopHealth, ASilentLegIsBelievedUntilANewOneIsMade) {
  PopHealth health;
  health.suspect(well, start);
  EXPECT_FALSE(health.is_usable(well, start));
  EXPECT_FALSE(health.is_usable({.opened = 10}, start + 900ms));
  EXPECT_TRUE(health.is_usable({.idle = 1, .opened = 11}, start + 100ms));
}

TEST(PopHealth, WithoutAPoolOneIsRiskedMoreAndMoreRarely) {
  PopHealth health;
  Instant now = start;
  for (const Duration pause : std::initializer_list<Duration>{1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    health.suspect({}, now);
    EXPECT_FALSE(health.is_usable({}, now + pause - 1ms)) << pause.count();
    now = now + pause;
    EXPECT_TRUE(health.is_usable({}, now)) << pause.count();
  }
  health.answered();
  health.suspect({}, now);
  EXPECT_TRUE(health.is_usable({}, now + 1s));
}

TEST(PopHealth, AHundredSilentLegsAreOneSuspicion) {
  PopHealth health;
  for (int leg = 0; leg < 100; ++leg) health.suspect({}, start + leg * 1ms);
  EXPECT_TRUE(health.is_usable({}, start + 1s));
}

TEST(PopHealth, APoolThatFailsAndHasNothingLeftSaysItAsWell) {
  const PopHealth health;
  EXPECT_FALSE(health.is_usable(failing, start));
  EXPECT_TRUE(health.is_usable({.idle = 1, .failures_in_row = 1}, start));
}

TEST(PopHealth, PatienceHasRoomForOneLossAndEndsWithinASecond) {
  EXPECT_GT(PopHealth::patience(1ms), 250ms);
  EXPECT_GT(PopHealth::patience(200ms), 800ms);
  for (const Duration rtt : {Duration{0}, Duration{1ms}, Duration{215ms}, Duration{2s}}) {
    EXPECT_LT(PopHealth::patience(rtt), 1s);
  }
}

}  // namespace
}  // namespace tw::relay
