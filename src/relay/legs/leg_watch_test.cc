// The rule by which a PoP that dies with legs in use is found out;
// tests/relay/dead_pop_test.cc has real PoPs.
#include "relay/legs/leg_watch.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

TEST(LegWatch, ASweepIsForDoubtAndForTwoResets) {
  LegWatch watch;
  watch.ask({.id = {1, 1}, .side = Side::back});
  watch.silent();
  EXPECT_FALSE(watch.wants_sweep());
  watch.silent();
  EXPECT_TRUE(watch.wants_sweep());
  watch.heard();
  EXPECT_FALSE(watch.wants_sweep());
  watch.was_reset();
  EXPECT_FALSE(watch.wants_sweep()) << "a server may have done that";
  EXPECT_TRUE(watch.take_hurry());
  EXPECT_FALSE(watch.asked());
  watch.was_reset();
  EXPECT_TRUE(watch.wants_sweep());
  watch.begin_sweep();
  EXPECT_FALSE(watch.wants_sweep());
}

TEST(LegWatch, IsDeadWithinTheConnectTimeoutButNeverByAFlap) {
  EXPECT_EQ(LegWatch::deadly(10s), 8U);
  EXPECT_EQ(LegWatch::deadly(60s), 58U);
  EXPECT_EQ(LegWatch::deadly(1s), 7U);
  LegWatch watch;
  for (unsigned i = 0; i < 7; ++i) watch.silent();
  EXPECT_FALSE(watch.is_dead(10s));
  watch.silent();
  EXPECT_TRUE(watch.is_dead(10s));
  watch.heard();
  EXPECT_FALSE(watch.is_dead(10s));
}

}  // namespace
}  // namespace tw::relay
