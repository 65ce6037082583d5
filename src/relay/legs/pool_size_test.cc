#include "relay/legs/pool_size.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};
constexpr std::size_t low = 4, high = 64;
constexpr Duration round_trip = 200ms;

// `count` uses, `gap` apart; returns when the last was.
Instant use(PoolSize& size, std::size_t count, Duration gap, Instant from) {
  for (std::size_t i = 1; i < count; ++i, from = from + gap) size.used(from, round_trip);
  size.used(from, round_trip);
  return from;
}

TEST(PoolSize, LowWhenNothingIsUsedYet) {
  const PoolSize size;
  EXPECT_EQ(size.target(start, low, high), low);
  EXPECT_EQ(size.target(start, 0, high), 0U);
}

TEST(PoolSize, LowWhenUseIsSlowerThanRefill) {
  PoolSize size;
  const Instant end = use(size, 1000, 1s, start);
  EXPECT_EQ(size.target(end, low, high), low);
}

// A hundred a second, each replaced after 200 ms: twenty are away at any time.
TEST(PoolSize, HoldsWhatIsUsedWithinOneRefill) {
  PoolSize size;
  const Instant end = use(size, 1000, 10ms, start);
  EXPECT_GE(size.target(end, low, high), 20U);
  EXPECT_LE(size.target(end, low, high), 30U);
}

TEST(PoolSize, ALongerRefillTimeNeedsMore) {
  PoolSize near, far;
  for (Instant now = start; now < start + 10s; now = now + 10ms) {
    near.used(now, 50ms);
    far.used(now, 300ms);
  }
  EXPECT_LT(near.target(start + 10s, low, high), 10U);
  EXPECT_GT(far.target(start + 10s, low, high), 30U);
}

TEST(PoolSize, ABurstIsRememberedForTheNextPageAndForgottenLater) {
  PoolSize size;
  const Instant end = use(size, 24, 0ms, start);
  EXPECT_EQ(size.target(end, low, high), 30U);
  EXPECT_GE(size.target(end + 30s, low, high), 20U);
  EXPECT_EQ(size.target(end + PoolSize::half_life, low, high), 15U);
  EXPECT_EQ(size.target(end + 10min, low, high), low);
  EXPECT_EQ(size.target(end + 10min, 0, high), 0U);
}

TEST(PoolSize, ASmallerBurstDoesNotShortenTheMemoryOfALargerOne) {
  PoolSize once, twice;
  use(once, 40, 0ms, start);
  use(twice, 40, 0ms, start);
  use(twice, 5, 0ms, start + 20s);
  EXPECT_EQ(once.target(start + 20s, low, high), twice.target(start + 20s, low, high));
}

TEST(PoolSize, NeverAboveHighNorBelowLow) {
  PoolSize size;
  for (int i = 0; i < 100'000; ++i) size.used(start, round_trip);
  EXPECT_EQ(size.target(start, low, high), high);
  EXPECT_EQ(size.target(start, low, 5), 5U) << "the bounds may change at any time";
  EXPECT_EQ(size.target(start + 1h, 8, 8), 8U);
}

// Between nearby PoPs a burst is still a burst.
TEST(PoolSize, TheRefillTimeHasAFloor) {
  PoolSize size;
  for (int i = 0; i < 16; ++i) size.used(start + i * 1ms, 50us);
  EXPECT_EQ(size.target(start + 16ms, low, high), 20U);
}

}  // namespace
}  // namespace tw::relay
