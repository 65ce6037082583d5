#include "lab/clients/send_schedule.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

const Instant start{1s};

TEST(SendSchedule, NothingIsDueBeforeItsTime) {
  SendSchedule schedule{start, 1000, 1ms};
  EXPECT_EQ(schedule.take(start - 1ns, 10).count, 0U);
  EXPECT_EQ(schedule.next(), start);
  EXPECT_EQ(schedule.take(start, 10).count, 1U);
  EXPECT_EQ(schedule.take(start + 999ns, 10).count, 0U);
  EXPECT_EQ(schedule.take(start + 1000ns, 10).count, 1U);
}

// However often it is asked, a second has as many units as the rate says.
TEST(SendSchedule, DoesNotDrift) {
  for (const Duration step : {Duration{100us}, Duration{137us}, Duration{1ms}}) {
    SendSchedule schedule{start, 1e9 / 264'000.0, 10ms};
    std::uint64_t sent = 0;
    for (Instant now = start; now < start + Duration{1s}; now = now + step) {
      sent += schedule.take(now, 10'000).count;
    }
    sent += schedule.take(start + Duration{1s} - 1ns, 10'000).count;
    EXPECT_NEAR(static_cast<double>(sent), 264'000, 1);
    EXPECT_EQ(schedule.skipped(), 0U);
  }
}

TEST(SendSchedule, SaysHowLateTheFirstIs) {
  SendSchedule schedule{start, 1000, 1ms};
  const auto due = schedule.take(start + 2500ns, 10);
  EXPECT_EQ(due.first, 0U);
  EXPECT_EQ(due.count, 3U);
  EXPECT_EQ(due.late, 2500ns);
}

TEST(SendSchedule, LeavesTheRestForTheNextTurn) {
  SendSchedule schedule{start, 1000, 1ms};
  EXPECT_EQ(schedule.take(start + 9500ns, 4).count, 4U);
  EXPECT_EQ(schedule.take(start + 9500ns, 4).count, 4U);
  const auto last = schedule.take(start + 9500ns, 4);
  EXPECT_EQ(last.first, 8U);
  EXPECT_EQ(last.count, 2U);
}

// After a stall it catches up with what is not too old, and counts the rest.
TEST(SendSchedule, GivesUpWhatIsOlderThanTheBacklog) {
  SendSchedule schedule{start, 1000, 1ms};
  const auto due = schedule.take(start + 5ms, 100'000);
  EXPECT_EQ(schedule.skipped(), 4000U);
  EXPECT_EQ(due.first, 4000U);
  EXPECT_EQ(due.count, 1001U);
  EXPECT_EQ(due.late, 1ms);
  EXPECT_EQ(schedule.take(start + 5ms, 100'000).count, 0U);
}

TEST(SendSchedule, WithoutIntervalThereIsAlwaysSomethingDue) {
  SendSchedule schedule{start, 0, 1ms};
  EXPECT_EQ(schedule.take(start, 64).count, 64U);
  EXPECT_EQ(schedule.take(start, 64).first, 64U);
  EXPECT_EQ(schedule.skipped(), 0U);
}

}  // namespace
}  // namespace tw::lab
