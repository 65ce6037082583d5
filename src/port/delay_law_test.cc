#include "port/delay_law.h"

#include <gtest/gtest.h>

#include <vector>

namespace tw {
namespace {

constexpr Duration target = 1ms, interval = 100ms;

class DelayLawTest : public testing::Test {
 protected:
  // Times of the signals, in ms from the beginning, of a queue that is looked at each ms.
  std::vector<int> waits(Duration sojourn, int from_ms, int until_ms) {
    std::vector<int> signals;
    for (int ms = from_ms; ms < until_ms; ++ms) {
      while (law_.signal(Instant{1h} + ms * 1ms, sojourn)) signals.push_back(ms);
    }
    return signals;
  }
  DelayLaw law_{target, interval};
};

TEST_F(DelayLawTest, AQueueOnTargetIsLeftAlone) {
  EXPECT_TRUE(waits(target, 0, 10'000).empty());
  EXPECT_FALSE(law_.above());
}

TEST_F(DelayLawTest, AQueueThatStandsIsToldSoonerAndSooner) {
  const std::vector<int> signals = waits(2 * target, 0, 400);
  EXPECT_EQ(signals, (std::vector<int>{100, 200, 271, 329, 379}));  // 100 / sqrt(n) apart
  EXPECT_EQ(law_.count(), 5U);
}

TEST_F(DelayLawTest, OneShortWaitInAnIntervalIsEnough) {
  for (int ms = 0; ms < 5'000; ms += 90) {
    EXPECT_TRUE(waits(50 * target, ms, ms + 89).empty());
    EXPECT_TRUE(waits(target, ms + 89, ms + 90).empty());
  }
}

TEST_F(DelayLawTest, WhatWasNeededLatelyIsRemembered) {
  waits(2 * target, 0, 1'000);
  const std::uint32_t before = law_.count();
  waits(0ms, 1'000, 1'200);
  EXPECT_EQ(law_.count(), 0U);
  EXPECT_EQ(waits(2 * target, 1'200, 1'301).size(), 1U);
  EXPECT_EQ(law_.count(), before - 2);
  waits(0ms, 1'301, 5'000);
  waits(2 * target, 5'000, 5'101);
  EXPECT_EQ(law_.count(), 1U);
}

TEST_F(DelayLawTest, AnAbsenceDoesNotHeapSignalsUp) {
  waits(2 * target, 0, 1'000);
  EXPECT_LE(waits(2 * target, 3'000, 3'001).size(), 2U);
}

}  // namespace
}  // namespace tw
