#include "relay/legs/leg_pool.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <set>
#include <string_view>
#include <vector>

#include "relay/legs/test_leg_pool.h"

namespace tw::relay {
namespace {

TEST_F(LegPoolTest, FillsUpToLowWithoutBeingAsked) {
  EXPECT_LE(pool.next_deadline(), now);
  settle();
  const LegSourceState state = pool.state();
  EXPECT_EQ(state.idle, 4U);
  EXPECT_EQ(state.target, 4U);
  EXPECT_EQ(state.opened, 4U);
  EXPECT_EQ(attempts.size(), 4U);
  EXPECT_GT(state.connect_rtt, 0ns);
  EXPECT_LT(state.connect_rtt, 1s);
  EXPECT_EQ(accept_all().size(), 4U);
}

TEST_F(LegPoolTest, EachLegIsUsedOnce) {
  settle();
  std::vector<UniqueFd> far = accept_all();
  ASSERT_EQ(far.size(), 4U);
  std::array<UniqueFd, 4> taken;
  for (UniqueFd& leg : taken) leg = pool.take(now);
  for (const UniqueFd& leg : taken) {
    ASSERT_TRUE(leg);
    put(leg.get(), "x");
  }
  for (const UniqueFd& socket : far) {
    ASSERT_TRUE(wait_for_bytes(socket.get(), 1));
    EXPECT_EQ(get(socket.get()).bytes, "x");
  }
  EXPECT_FALSE(pool.take(now)) << "a caller that finds none connects, and does not wait";
  EXPECT_EQ(pool.state().hits, 4U);
  EXPECT_EQ(pool.state().misses, 1U);
}

TEST_F(LegPoolTest, ItsUserAloneHearsFromALegThatIsUsed) {
  settle();
  const std::vector<UniqueFd> far = accept_all();
  const UniqueFd leg = pool.take(now);
  settle();
  put(far.at(3).get(), "hello");
  ASSERT_TRUE(wait_for_bytes(leg.get(), 5));
  EXPECT_EQ(wait_for(pool.wait_fd(), POLLIN, 0), 0);
}

TEST_F(LegPoolTest, TheOneThatWasMadeLastIsTakenFirst) {
  settings.low = 1;
  pool.apply(settings, limits);
  settle();
  const std::vector<UniqueFd> first = accept_all();
  settings.low = 2;
  pool.apply(settings, limits);
  settle();
  const std::vector<UniqueFd> second = accept_all();
  const UniqueFd leg = pool.take(now);
  put(leg.get(), "x");
  EXPECT_TRUE(wait_for_bytes(second.at(0).get(), 1));
  EXPECT_EQ(get(first.at(0).get()).end, -1);
}

TEST_F(LegPoolTest, UseRaisesTheTargetUpToHighAndDisuseLowersIt) {
  settings.max_age = 1h;
  pool.apply(settings, limits);
  settle();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(pool.take(now));
  EXPECT_LE(pool.next_deadline(), now) << "to be replaced at once";
  settle();
  EXPECT_EQ(pool.state().idle, 5U) << "four at once, and head-room";
  for (int i = 0; i < 40; ++i) static_cast<void>(pool.take(now));
  settle();
  EXPECT_EQ(pool.state().target, settings.high);
  EXPECT_EQ(pool.state().idle, settings.high);

  std::vector<UniqueFd> far = accept_all();
  while (pool.state().target > settings.low) {
    ASSERT_LE(pool.next_deadline(), now + 5s) << "it must look again by itself";
    now = pool.next_deadline();
    pool.poll(now);
  }
  EXPECT_EQ(pool.state().idle, settings.low);
  EXPECT_EQ(pool.state().surplus, settings.high - settings.low);
  EXPECT_EQ(pool.state().died, 0U);
}

// The counters say what became of every leg.
TEST_F(LegPoolTest, EveryLegIsAccountedFor) {
  settle();
  for (int i = 0; i < 100; ++i, now = now + 7s) {
    if (i % 3 == 0) static_cast<void>(pool.take(now));
    if (i % 10 == 0) static_cast<void>(accept_all());
    settle();
  }
  const LegSourceState state = pool.state();
  EXPECT_EQ(state.opened, state.idle + state.hits + state.expired + state.died + state.surplus);
  EXPECT_GT(state.hits, 20U);
  EXPECT_GT(state.expired + state.died, 0U);
}

// Whatever way a leg has died: it is not handed out, though no event has been looked at yet.
TEST_F(LegPoolTest, NoDeadLegIsHandedOut) {
  settings.low = 1;
  pool.apply(settings, limits);
  for (const char* way : {"end", "reset", "bytes"}) {
    settle();
    std::vector<UniqueFd> far = accept_all();
    ASSERT_EQ(far.size(), 1U);
    ASSERT_EQ(wait_for(pool.wait_fd(), POLLIN, 0), 0);
    now = now + 2s;  // not a failure of connecting
    if (std::string_view{way} == "bytes") put(far[0].get(), "220 ready");
    if (std::string_view{way} == "end") end_in_order(far[0].get());
    if (std::string_view{way} != "bytes") far.clear();
    ASSERT_NE(wait_for(pool.wait_fd(), POLLIN), 0);
    EXPECT_FALSE(pool.take(now)) << way;
  }
  EXPECT_EQ(pool.state().died, 3U);
  EXPECT_EQ(pool.state().hits, 0U);
  EXPECT_EQ(pool.state().misses, 3U);
}

TEST_F(LegPoolTest, ADeadLegIsReplacedWhenItDies) {
  settle();
  now = now + 1min;
  std::vector<UniqueFd> far = accept_all();
  far.pop_back();  // reset: they linger {1, 0}
  ASSERT_NE(wait_for(pool.wait_fd(), POLLIN), 0);
  settle();
  EXPECT_EQ(pool.state().idle, 4U);
  EXPECT_EQ(pool.state().died, 1U);
  EXPECT_EQ(pool.state().opened, 5U);
  EXPECT_EQ(pool.state().failures_in_row, 0U);
}

TEST_F(LegPoolTest, OldLegsAreReplacedNotAllAtOnceAndEndInOrder) {
  settings = {.low = 16, .high = 16, .max_age = 100s};
  pool.apply(settings, limits);
  settle();
  const std::vector<UniqueFd> far = accept_all();
  ASSERT_EQ(far.size(), 16U);
  const Instant made = now;
  std::set<Instant> ends;
  while (pool.state().expired < 16) {
    now = pool.next_deadline();
    const auto before = pool.state().expired;
    settle();
    if (pool.state().expired > before) ends.insert(now);
    ASSERT_LE(now, made + 100s) << "none is older than that";
  }
  EXPECT_GE(*ends.begin(), made + 75s);
  EXPECT_GE(ends.size(), 12U);
  EXPECT_EQ(pool.state().idle, 16U);
  expect_ended_in_order(far);
}

TEST_F(LegPoolTest, TooOldALegIsNotUsedThoughNobodyHasPolled) {
  settle();
  const std::vector<UniqueFd> far = accept_all();
  now = now + settings.max_age;
  EXPECT_FALSE(pool.take(now));
  EXPECT_EQ(pool.state().expired, 4U);
  expect_ended_in_order(far);
}

TEST_F(LegPoolTest, SettingsAreInEffectAtTheNextPoll) {
  settle();
  settings.low = 8;
  pool.apply(settings, limits);
  EXPECT_LE(pool.next_deadline(), now);
  settle();
  EXPECT_EQ(pool.state().idle, 8U);
  settings = {.low = 1, .high = 2, .max_age = 5min};
  pool.apply(settings, limits);
  settle();
  EXPECT_EQ(pool.state().idle, 1U);
  settings.enabled = false;
  pool.apply(settings, limits);
  settle();
  EXPECT_EQ(pool.state().idle, 0U);
  EXPECT_EQ(pool.state().target, 0U);
  EXPECT_EQ(pool.next_deadline(), Instant::max());
  EXPECT_FALSE(pool.take(now));
  EXPECT_EQ(pool.state().misses, 0U) << "no pool, no miss";
  expect_ended_in_order(accept_all());
  settings.enabled = true;
  pool.apply(settings, limits);
  settle();
  EXPECT_EQ(pool.state().idle, 1U);
}

TEST_F(LegPoolTest, AnUnusedLegEndsInOrderWithItsPool) {
  std::vector<UniqueFd> far;
  {
    LegPool other{[this] { return connect(); }, random};
    other.apply(settings, limits);
    while (other.state().idle < 4) {
      other.poll(now);
      ASSERT_NE(wait_for(other.wait_fd(), POLLIN), 0);
      other.poll(now);
    }
    far = accept_all();
  }
  expect_ended_in_order(far);
}

TEST_F(LegPoolTest, DroppedLegsEndInOrderAndAreMadeAnew) {
  settle();
  const std::vector<UniqueFd> far = accept_all();
  pool.drop_all();
  EXPECT_EQ(pool.state().idle, 0U);
  EXPECT_EQ(pool.state().connect_rtt, 0ns) << "of another path";
  expect_ended_in_order(far);
  settle();
  EXPECT_EQ(pool.state().idle, 4U);
}

// While it waits it is asked often whether it lives; once it is used, as every connection is.
TEST_F(LegPoolTest, AUsedLegHasTheKeepaliveOfTheLimits) {
  const auto idle_time = [](const UniqueFd& socket) {
    int seconds = 0;
    socklen_t size = sizeof seconds;
    EXPECT_EQ(::getsockopt(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, &seconds, &size), 0);
    return seconds;
  };
  limits.keepalive = 77s;
  pool.apply(settings, limits);
  settle();
  EXPECT_EQ(idle_time(pool.take(now)), 77);
}

}  // namespace
}  // namespace tw::relay
