// For the tests of the pool: one over loopback, in made-up time. Only the kernel's own delivery is
// waited for.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "relay/legs/leg_pool.h"
#include "relay/sockets/test_loopback.h"

namespace tw::relay {

class LegPoolTest : public testing::Test {
 protected:
  LegPoolTest() { pool.apply(settings, limits); }

  Result<UniqueFd> connect() {
    attempts.push_back(now);
    if (is_dead) return system_error(EHOSTUNREACH, "connect to a dead PoP");
    return open_onward({.target = local_endpoint(listener.get())});
  }
  // Returns the legs that the far PoP has accepted since it was last asked.
  std::vector<UniqueFd> accept_all() {
    std::vector<UniqueFd> accepted;
    for (;;) {
      UniqueFd far{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!far) return accepted;
      accepted.push_back(std::move(far));
    }
  }
  // Polls, at the present time, until nothing is being made and nothing more is wanted.
  void settle() {
    for (int turn = 0; turn < 1000; ++turn) {
      pool.poll(now);
      ASSERT_LE(pool.state().idle, settings.high);
      if (pool.state().connecting > 0) {
        ASSERT_NE(wait_for(pool.wait_fd(), POLLIN), 0);
      } else if (pool.next_deadline() > now) {
        return;
      }
    }
    FAIL() << "never settles";
  }
  // Polls whenever the pool wants it.
  void pass(Duration time) {
    for (const Instant end = now + time; now < end;) {
      settle();
      now = std::min(end, std::max(now, pool.next_deadline()));
    }
  }
  std::ptrdiff_t attempts_within(Instant from, Duration time) const {
    return std::ranges::count_if(attempts,
                                 [&](Instant at) { return at >= from && at < from + time; });
  }
  static void expect_ended_in_order(const std::vector<UniqueFd>& far) {
    for (const UniqueFd& socket : far) {
      EXPECT_NE(wait_for(socket.get(), POLLIN), 0);
      EXPECT_EQ(get(socket.get()).end, 0);
    }
  }

  Instant now{Duration{1000s}};
  PoolSettings settings{.low = 4, .high = 16, .max_age = 5min};
  RelayLimits limits;
  UniqueFd listener{open_listener({.address = loopback_port()}).value()};
  std::vector<Instant> attempts;
  bool is_dead = false;
  SeededRandom random{1};
  LegPool pool{[this] { return connect(); }, random};
};

}  // namespace tw::relay
