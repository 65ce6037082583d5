#include "relay/legs/connect_backoff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};

TEST(ConnectBackoff, NothingWaitsWhileAllIsWell) {
  SeededRandom random{1};
  ConnectBackoff backoff{random};
  EXPECT_FALSE(backoff.failing());
  for (int i = 0; i < 10; ++i) backoff.begun(start);
  EXPECT_LE(backoff.next_attempt(), start);
}

TEST(ConnectBackoff, PausesDoubleUpToTheLongest) {
  SeededRandom random{1};
  ConnectBackoff backoff{random};
  Instant now = start;
  Duration expected = ConnectBackoff::first_pause;
  for (int i = 0; i < 20; ++i) {
    backoff.begun(now);
    backoff.failed(now, now);
    const Duration pause = backoff.next_attempt() - now;
    EXPECT_GE(pause, expected / 2) << i;
    EXPECT_LE(pause, expected) << i;
    now = backoff.next_attempt();
    expected = std::min(2 * expected, ConnectBackoff::longest_pause);
  }
  EXPECT_EQ(backoff.failures_in_row(), 20U);
}

TEST(ConnectBackoff, PausesAreJittered) {
  SeededRandom one{1}, other{2};
  ConnectBackoff first{one}, second{other};
  first.failed(start, start);
  second.failed(start, start);
  EXPECT_NE(first.next_attempt(), second.next_attempt());
}

// Thirty attempts that fail together are one outage, and the pause is still the first one.
TEST(ConnectBackoff, AttemptsUnderWayWhenItBeganDoNotCountAgain) {
  SeededRandom random{1};
  ConnectBackoff backoff{random};
  for (int i = 0; i < 30; ++i) backoff.failed(start, start + 10ms + i * 1us);
  EXPECT_EQ(backoff.failures_in_row(), 1U);
  EXPECT_LE(backoff.next_attempt(), start + 10ms + ConnectBackoff::first_pause);
  const Instant retry = backoff.next_attempt();
  backoff.begun(retry);
  backoff.failed(retry, retry + 10ms);
  EXPECT_EQ(backoff.failures_in_row(), 2U);
}

// One that neither fails nor proves anything (a client took its leg) does not stop the others.
TEST(ConnectBackoff, AnAttemptWithoutAnEndIsFollowedByTheNext) {
  SeededRandom random{1};
  ConnectBackoff backoff{random};
  backoff.failed(start, start);
  const Instant retry = backoff.next_attempt();
  backoff.begun(retry);
  EXPECT_GT(backoff.next_attempt(), retry);
  EXPECT_LE(backoff.next_attempt(), retry + ConnectBackoff::first_pause);
}

TEST(ConnectBackoff, OnlyALegMadeAfterTheFailureProvesThatItIsOver) {
  SeededRandom random{1};
  ConnectBackoff backoff{random};
  backoff.failed(start, start);
  backoff.proved(start - 1s);
  EXPECT_TRUE(backoff.failing());
  backoff.proved(start + 1s);
  EXPECT_FALSE(backoff.failing());
  backoff.failed(start + 2s, start + 2s);
  EXPECT_EQ(backoff.failures_in_row(), 1U) << "a new outage starts with the first pause";
  backoff.reset();
  EXPECT_FALSE(backoff.failing());
}

}  // namespace
}  // namespace tw::relay
