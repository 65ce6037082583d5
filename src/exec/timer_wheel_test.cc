#include "exec/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"

namespace tw {
namespace {

constexpr Instant origin{Duration{5s}};

// Does what the wheel must do, in the most naive way: a map searched from end to end.
class NaiveTimers {
 public:
  NaiveTimers(Duration tick, Instant now) : tick_(tick), now_(now) {}
  void schedule(std::uint64_t cookie, Instant at) { due_[cookie] = std::max(rounded(at), now_); }
  bool cancel(std::uint64_t cookie) { return due_.erase(cookie) > 0; }
  std::vector<std::uint64_t> advance(Instant now) {
    now_ = now;
    std::vector<std::uint64_t> fired;
    for (const auto& [cookie, at] : due_) {
      if (at <= now) fired.push_back(cookie);
    }
    for (const std::uint64_t cookie : fired) due_.erase(cookie);
    return fired;
  }
  Instant earliest() const {
    Instant at = Instant::max();
    for (const auto& [cookie, due] : due_) at = std::min(at, due);
    return at;
  }
  std::size_t size() const { return due_.size(); }

 private:
  Instant rounded(Instant at) const {
    const auto ticks = (at.since_origin() + tick_ - 1ns) / tick_;
    return Instant{ticks * tick_};
  }
  Duration tick_;
  Instant now_;
  std::map<std::uint64_t, Instant> due_;
};

std::vector<std::uint64_t> fired_at(TimerWheel& wheel, Instant now) {
  std::vector<std::uint64_t> fired;
  wheel.advance(now, [&](std::uint64_t cookie) { fired.push_back(cookie); });
  return fired;
}

TEST(TimerWheel, NeverFiresEarlyAndFiresOnce) {
  TimerWheel wheel{8, 1ms, origin};
  ASSERT_TRUE(wheel.schedule(origin + 10ms, 7));
  EXPECT_TRUE(fired_at(wheel, origin + 10ms - 1ns).empty());
  EXPECT_EQ(fired_at(wheel, origin + 10ms), std::vector<std::uint64_t>{7});
  EXPECT_TRUE(fired_at(wheel, origin + 20ms).empty());
  EXPECT_EQ(wheel.next_deadline(), Instant::max());
}

TEST(TimerWheel, FiresEarlierTicksFirst) {
  TimerWheel wheel{8, 1ms, origin};
  wheel.schedule(origin + 5s, 3);
  wheel.schedule(origin + 3ms, 1);
  wheel.schedule(origin + 700ms, 2);
  EXPECT_EQ(fired_at(wheel, origin + 1h), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(TimerWheel, TellsThePastFromTheFuture) {
  TimerWheel wheel{2, 1ms, origin};
  wheel.schedule(origin - 1s, 1);
  EXPECT_LE(wheel.next_deadline(), origin);
  EXPECT_EQ(fired_at(wheel, origin), std::vector<std::uint64_t>{1});
}

TEST(TimerWheel, NeverIsNeverButStillATimer) {
  TimerWheel wheel{2, 1ms, origin};
  const auto id = wheel.schedule(Instant::max(), 1);
  ASSERT_TRUE(id);
  EXPECT_TRUE(fired_at(wheel, origin + 24h * 365 * 100).empty());
  EXPECT_GT(wheel.next_deadline(), origin + 24h * 365 * 100);
  EXPECT_TRUE(wheel.cancel(*id));
}

TEST(TimerWheel, RefusesWhenFullAndStaleNames) {
  TimerWheel wheel{2, 1ms, origin};
  const auto first = wheel.schedule(origin + 1s, 1);
  ASSERT_TRUE(first && wheel.schedule(origin + 1s, 2));
  EXPECT_FALSE(wheel.schedule(origin + 1s, 3));
  EXPECT_TRUE(wheel.cancel(*first));
  EXPECT_FALSE(wheel.cancel(*first));
  const auto again = wheel.schedule(origin + 2s, 4);  // in the slot that the first one had
  ASSERT_TRUE(again);
  EXPECT_FALSE(wheel.cancel(*first));
  EXPECT_FALSE(wheel.cancel(TimerId{}));
  EXPECT_EQ(fired_at(wheel, origin + 3s), (std::vector<std::uint64_t>{2, 4}));
  EXPECT_FALSE(wheel.cancel(*again));
}

// A visitor may cancel what is about to fire, and what it schedules for now waits for the next
// round.
TEST(TimerWheel, VisitorsMayScheduleAndCancel) {
  TimerWheel wheel{4, 1ms, origin};
  const auto first = wheel.schedule(origin + 1ms, 1);
  const auto second = wheel.schedule(origin + 1ms, 2);
  std::vector<std::uint64_t> fired;
  const auto visit = [&](std::uint64_t cookie) {
    fired.push_back(cookie);
    if (cookie == 9) return;
    wheel.cancel(cookie == 1 ? *second : *first);
    wheel.schedule(origin + 2ms, 9);
  };
  EXPECT_EQ(wheel.advance(origin + 5ms, visit), 1U);
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_LE(wheel.next_deadline(), origin + 5ms);
  EXPECT_EQ(wheel.advance(origin + 5ms, visit), 1U);
  EXPECT_EQ(fired.back(), 9U);
}

void compare_with_naive(std::uint64_t seed, Duration tick, Duration horizon) {
  SeededRandom random{seed};
  const auto below = [&](std::uint64_t limit) { return random.next() % limit; };
  TimerWheel wheel{200, tick, origin};
  // A timer in the present tick counts as due: begin on a whole one.
  Instant now{origin.since_origin() / tick * tick};
  NaiveTimers naive{tick, now};
  std::map<std::uint64_t, TimerId> names;
  for (std::uint64_t cookie = 0; cookie < 3000; ++cookie) {
    // Spread over all magnitudes, so that every level of the wheel is met.
    const Duration delay{below((static_cast<std::uint64_t>(horizon.count()) >> below(40)) + 1)};
    if (const auto id = wheel.schedule(now + delay, cookie)) {
      naive.schedule(cookie, now + delay);
      names[cookie] = *id;
    } else {
      ASSERT_EQ(wheel.size(), 200U);
    }
    const std::uint64_t victim = below(cookie + 1);
    if (below(3) == 0 && names.contains(victim)) {
      ASSERT_EQ(wheel.cancel(names[victim]), naive.cancel(victim));
    }
    ASSERT_LE(wheel.next_deadline(), naive.earliest());
    if (below(4) == 0) {
      const Instant deadline = std::max(now, wheel.next_deadline());
      const Duration step{below((static_cast<std::uint64_t>(horizon.count()) >> below(40)) + 1)};
      now = below(2) == 0 && deadline != Instant::max() ? deadline : now + step / 8;
      std::vector<std::uint64_t> fired = fired_at(wheel, now);
      std::ranges::sort(fired);
      ASSERT_EQ(fired, naive.advance(now)) << "seed " << seed << " cookie " << cookie;
    }
    ASSERT_EQ(wheel.size(), naive.size());
  }
}

TEST(TimerWheel, AgreesWithANaiveListOnRandomSchedules) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    compare_with_naive(seed, 1ms, 1h);
    compare_with_naive(seed, 1ns, 24h);
    compare_with_naive(seed, 333us, 10s);
  }
}

// Following next_deadline() alone reaches every timer on its tick, in a bounded number of steps.
TEST(TimerWheel, FollowingTheDeadlineReachesEveryTimerOnTime) {
  TimerWheel wheel{64, 1ms, origin};
  for (std::uint64_t i = 0; i < 64; ++i) wheel.schedule(origin + i * i * 37ms, i);
  Instant now = origin;
  int steps = 0;
  while (wheel.size() > 0) {
    ASSERT_LT(++steps, 400);
    now = std::max(now, wheel.next_deadline());
    wheel.advance(now, [&](std::uint64_t i) { EXPECT_EQ(now, origin + i * i * 37ms); });
  }
}

// Whoever has a budget leaves the rest for later: each fires once, none early, and cancelling what
// is due but has not fired works as ever.
TEST(TimerWheel, WhatIsOverTheLimitFiresInTheNextAdvances) {
  TimerWheel wheel{100, 10ms, Instant{}};
  std::vector<TimerId> ids;
  for (TimerWheel::Cookie i = 0; i < 50; ++i) {
    ids.push_back(*wheel.schedule(Instant{1s + (i % 5) * 100ms}, i));
  }
  ids.push_back(*wheel.schedule(Instant{10s}, 50));
  std::vector<TimerWheel::Cookie> fired;
  const auto fire = [&](TimerWheel::Cookie cookie) { fired.push_back(cookie); };
  const Instant now{2s};
  EXPECT_EQ(wheel.advance(now, fire, 7), 7U);
  EXPECT_LE(wheel.next_deadline(), now);
  std::size_t cancelled = 0;
  for (std::size_t i = 0; i < 50; i += 10) cancelled += wheel.cancel(ids[i]) ? 1U : 0U;
  while (wheel.next_deadline() <= now) EXPECT_LE(wheel.advance(now, fire, 7), 7U);
  EXPECT_EQ(fired.size() + cancelled, 50U);
  EXPECT_EQ(wheel.advance(Instant{10s}, fire, 7), 1U);
  std::ranges::sort(fired);
  EXPECT_EQ(std::ranges::adjacent_find(fired), fired.end());
}

}  // namespace
}  // namespace tw
