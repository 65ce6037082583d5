// PoPs that are dead, that refuse, that accept and reset, and that say nothing at all.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "relay/legs/test_leg_pool.h"

namespace tw::relay {
namespace {

class LegPoolFailures : public LegPoolTest {};

TEST_F(LegPoolFailures, ADeadPopIsTriedAFewTimesAMinute) {
  is_dead = true;
  const Instant begin = now;
  pass(1min);
  EXPECT_LE(attempts_within(begin, 1s), 6);
  for (Instant at = begin + 20s; at < begin + 1min; at = at + 1s) {
    EXPECT_LE(attempts_within(at, 1s), 1);
  }
  EXPECT_GE(attempts.size(), 8U);
  EXPECT_LE(attempts.size(), 20U);
  EXPECT_EQ(pool.state().failed, attempts.size());
  EXPECT_EQ(pool.state().failures_in_row, attempts.size());
  EXPECT_EQ(pool.last_error().os_errno, EHOSTUNREACH);
  EXPECT_FALSE(pool.take(now)) << "and nobody waits for it";
}

TEST_F(LegPoolFailures, AttemptsAreJittered) {
  is_dead = true;
  const Instant begin = now;
  pass(1min);
  const std::vector<Instant> first = std::exchange(attempts, {});
  SeededRandom other_random{2};
  LegPool other{[this] { return connect(); }, other_random};
  other.apply(settings, limits);
  for (now = begin; now < begin + 1min; now = other.next_deadline()) other.poll(now);
  ASSERT_GE(attempts.size(), 2U);
  EXPECT_NE(attempts.at(1), first.at(1));
}

TEST_F(LegPoolFailures, APopThatRefusesIsBackedOff) {
  LegPool other{[] {
                  const Endpoint closed = [] {
                    const UniqueFd gone = open_listener({.address = loopback_port()}).value();
                    return local_endpoint(gone.get());
                  }();
                  return open_onward({.target = closed});
                },
                random};
  other.apply(settings, limits);
  const Instant end = now + 1min;
  while (now < end) {
    other.poll(now);
    if (other.state().connecting > 0) {
      ASSERT_NE(wait_for(other.wait_fd(), POLLIN), 0);
    } else {
      now = std::max(now, other.next_deadline());
    }
  }
  EXPECT_GE(other.state().failures_in_row, 8U);
  EXPECT_LE(other.state().failed, 24U);
  EXPECT_EQ(other.state().opened, 0U);
  EXPECT_EQ(other.last_error().os_errno, ECONNREFUSED);
}

// As one does that does not know us, or has no room.
TEST_F(LegPoolFailures, APopThatAcceptsAndResetsIsBackedOffToo) {
  for (const Instant end = now + 1min; now < end;) {
    settle();
    ASSERT_LE(attempts.size(), 24U);
    static_cast<void>(accept_all());
    if (pool.state().idle > 0) {
      ASSERT_NE(wait_for(pool.wait_fd(), POLLIN), 0);
    } else {
      now = std::max(now, pool.next_deadline());
    }
  }
  EXPECT_GE(pool.state().failures_in_row, 8U);
  EXPECT_EQ(pool.state().died, attempts.size());
}

TEST_F(LegPoolFailures, APopThatIsBackIsFilledOnceALegHasLived) {
  is_dead = true;
  pass(1min);
  is_dead = false;
  const auto before = attempts.size();
  pass(pool.next_deadline() - now);
  settle();
  EXPECT_EQ(attempts.size(), before + 1) << "one by one, until it is known to work";
  EXPECT_EQ(pool.state().idle, 1U);
  EXPECT_GT(pool.state().failures_in_row, 0U);
  pass(ConnectBackoff::proof_time);
  settle();
  EXPECT_EQ(pool.state().failures_in_row, 0U);
  EXPECT_EQ(pool.state().idle, 4U);
}

// A far PoP whose machine is gone answers nothing at all.
TEST_F(LegPoolFailures, AnAttemptWithoutAnAnswerEnds) {
  const UniqueFd full{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ASSERT_GE(full.get(), 0);
  const SocketAddress address = to_sockaddr(loopback_port());
  ASSERT_EQ(::bind(full.get(), address.get(), address.length), 0);
  ASSERT_EQ(::listen(full.get(), 0), 0);
  const Endpoint target = local_endpoint(full.get());
  const UniqueFd the_only_place = open_onward({.target = target}).value();
  ASSERT_NE(wait_for(the_only_place.get(), POLLOUT), 0);
  LegPool other{[&] { return open_onward({.target = target}); }, random};
  other.apply(settings, limits);
  other.poll(now);
  EXPECT_EQ(other.state().connecting, 4U);
  EXPECT_EQ(other.next_deadline(), now + limits.connect_timeout);
  now = now + limits.connect_timeout;
  other.poll(now);
  EXPECT_EQ(other.state().connecting, 0U);
  EXPECT_EQ(other.state().failed, 4U);
  EXPECT_EQ(other.state().failures_in_row, 1U) << "one outage";
  ASSERT_GT(other.next_deadline(), now);
  now = other.next_deadline();
  other.poll(now);
  EXPECT_EQ(other.state().connecting, 1U);
  EXPECT_EQ(other.next_deadline(), now + limits.connect_timeout) << "one at a time";
  other.poll(now + limits.connect_timeout / 2);
  EXPECT_EQ(other.state().connecting, 1U);
}

}  // namespace
}  // namespace tw::relay
