#include "exec/governor.h"

#include <gtest/gtest.h>

namespace tw {
namespace {

using Mode = GovernorSettings::Mode;
constexpr Instant start{Duration{1s}};

TEST(Governor, InterruptParksAtOnceEvenAfterWork) {
  Governor governor{{}};
  EXPECT_TRUE(governor.may_park(start, false));
  EXPECT_TRUE(governor.may_park(start, true));
}

TEST(Governor, BusyNeverParks) {
  Governor governor{{.mode = Mode::busy}};
  EXPECT_FALSE(governor.may_park(start + 1h, false));
}

TEST(Governor, OnlyBusyListensWithoutAPause) {
  EXPECT_FALSE(Governor{{.mode = Mode::busy}}.may_coalesce());
  EXPECT_TRUE(Governor{{.mode = Mode::adaptive}}.may_coalesce());
  EXPECT_TRUE(Governor{{.mode = Mode::interrupt}}.may_coalesce());
}

// Each piece of work buys the spin anew; it never lasts longer than a wake-up costs.
TEST(Governor, AdaptiveSpinsAsLongAsAWakeUpCosts) {
  Governor governor{{.mode = Mode::adaptive, .spin = 50us}};
  EXPECT_FALSE(governor.may_park(start, true));
  EXPECT_FALSE(governor.may_park(start + 5us, false)) << "idle from here on";
  EXPECT_FALSE(governor.may_park(start + 54us, false));
  EXPECT_TRUE(governor.may_park(start + 55us, false));
  EXPECT_FALSE(governor.may_park(start + 60us, true));
  EXPECT_FALSE(governor.may_park(start + 61us, false));
  EXPECT_FALSE(governor.may_park(start + 110us, false));
  EXPECT_TRUE(governor.may_park(start + 111us, false));
}

// Work comes each `gap`; says whether the governor would spin for the next one.
bool spins_after(Governor& governor, Instant& now, Duration gap, int times) {
  for (int i = 0; i < times; ++i) {
    governor.may_park(now, true);
    governor.may_park(now + 1us, false);
    now = now + gap;
  }
  governor.may_park(now, true);
  return !governor.may_park(now + 1us, false);
}

TEST(Governor, AdaptiveDoesNotSpinForWhatComesTooLate) {
  Governor governor{{.mode = Mode::adaptive, .spin = 50us}};
  Instant now = start;
  EXPECT_TRUE(spins_after(governor, now, 20us, 4));
  EXPECT_FALSE(spins_after(governor, now, 200us, 10))
      << "5,000 a second: a wake-up each is cheaper";
  EXPECT_TRUE(spins_after(governor, now, 20us, 40)) << "50,000 a second";
}

TEST(Governor, AdaptiveDoesNotSpinWhereHalfOfTheGapsAreLong) {
  Governor governor{{.mode = Mode::adaptive, .spin = 50us}};
  Instant now = start;
  bool spins = true;
  for (int i = 0; i < 20; ++i) {
    spins_after(governor, now, 10us, 1);
    spins = spins_after(governor, now, 300us, 1);
  }
  EXPECT_FALSE(spins);
}

// A long turn is work, not a gap.
TEST(Governor, AdaptiveSpinsBetweenLongTurns) {
  Governor governor{{.mode = Mode::adaptive, .spin = 50us}};
  Instant now = start;
  for (int i = 0; i < 40; ++i) {
    EXPECT_FALSE(governor.may_park(now, true));
    now = now + 400us;  // that turn took so long
    EXPECT_FALSE(governor.may_park(now, false));
    now = now + 3us;
  }
}

TEST(Governor, WakesBeforeADeadlineButNeverForNone) {
  const Governor governor{{.before_deadline = 30us}};
  EXPECT_EQ(governor.wake_at(start), start - 30us);
  EXPECT_EQ(governor.wake_at(Instant::max()), Instant::max());
}

}  // namespace
}  // namespace tw
