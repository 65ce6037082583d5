#include "base/time.h"

#include <gtest/gtest.h>

namespace tw {
namespace {

TEST(Instant, NeverPlusADelayStaysNever) {
  EXPECT_EQ(Instant::max() + 1ns, Instant::max());
  EXPECT_EQ(Instant{Duration::max() - 1s} + 2s, Instant::max());
  EXPECT_LT(Instant{Duration::max() - 2s} + 1s, Instant::max());
  EXPECT_EQ(Instant::max() + 0ns, Instant::max());
}

TEST(Instant, DifferencesAndOrder) {
  const Instant start{5s};
  EXPECT_EQ((start + 3s) - start, 3s);
  EXPECT_EQ(start + 3s - 3s, start);
  EXPECT_EQ(start + Duration{-2s}, Instant{3s});
  EXPECT_LT(start, start + 1ns);
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock;
  const Instant start = clock.now();
  const WallTime wall = clock.wall();
  EXPECT_EQ(clock.now(), start);
  clock.advance(7s);
  EXPECT_EQ(clock.now() - start, 7s);
  EXPECT_EQ(clock.wall().since_epoch - wall.since_epoch, 7s);
}

TEST(ManualClock, TheWallMayStepBackAlone) {
  ManualClock clock;
  const Instant start = clock.now();
  clock.set_wall(WallTime{1s});
  EXPECT_EQ(clock.wall().since_epoch, 1s);
  EXPECT_EQ(clock.now(), start);
}

TEST(Time, BecomesSecondsAndTheirRest) {
  const timespec at = to_timespec(2s + 999'999'999ns);
  EXPECT_EQ(at.tv_sec, 2);
  EXPECT_EQ(at.tv_nsec, 999'999'999);
  EXPECT_EQ(to_timespec(Duration::zero()).tv_nsec, 0);
}

TEST(SystemClock, NeverStepsBackAndKnowsTheCentury) {
  const SystemClock clock;
  Instant last = clock.now();
  for (int i = 0; i < 1000; ++i) {
    const Instant now = clock.now();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_GT(clock.wall().since_epoch, Duration{1'600'000'000s});
}

}  // namespace
}  // namespace tw
