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

// Each piece of work buys the spin anew; it never lasts longer than a wake-up costs.
TEST(Governor, AdaptiveSpinsAsLongAsAWakeUpCosts) {
  Governor governor{{.mode = Mode::adaptive, .spin = 50us}};
  EXPECT_FALSE(governor.may_park(start, true));
  EXPECT_FALSE(governor.may_park(start + 49us, false));
  EXPECT_TRUE(governor.may_park(start + 50us, false));
  EXPECT_FALSE(governor.may_park(start + 60us, true));
  EXPECT_FALSE(governor.may_park(start + 109us, false));
  EXPECT_TRUE(governor.may_park(start + 110us, false));
}

TEST(Governor, WakesBeforeADeadlineButNeverForNone) {
  const Governor governor{{.before_deadline = 30us}};
  EXPECT_EQ(governor.wake_at(start), start - 30us);
  EXPECT_EQ(governor.wake_at(Instant::max()), Instant::max());
}

}  // namespace
}  // namespace tw
