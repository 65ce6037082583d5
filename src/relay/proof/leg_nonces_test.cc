#include "relay/proof/leg_nonces.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <set>

#include "base/random.h"

namespace tw::relay {
namespace {

using Verdict = LegNonces::Verdict;

TEST(LegNonces, EachOnce) {
  LegNonces nonces{7};
  EXPECT_EQ(nonces.accept(10, 1), Verdict::fresh);
  EXPECT_EQ(nonces.accept(10, 1), Verdict::seen);
  EXPECT_EQ(nonces.accept(11, 1), Verdict::seen);  // whatever time it names
  EXPECT_EQ(nonces.accept(9, 2), Verdict::fresh);  // a little late
  EXPECT_EQ(nonces.accept(10, 0), Verdict::fresh);
  EXPECT_EQ(nonces.accept(10, 0), Verdict::seen);
}

TEST(LegNonces, WhatWasForgottenIsTooOldAndNotFresh) {
  LegNonces nonces{7};
  for (std::uint64_t i = 0; i < LegNonces::capacity; ++i) {
    ASSERT_EQ(nonces.accept(100 + i, i), Verdict::fresh);
  }
  EXPECT_EQ(nonces.accept(1, 1U << 20U), Verdict::fresh);  // nothing has been forgotten: now 0 is
  EXPECT_EQ(nonces.accept(100, 0), Verdict::too_old);
  EXPECT_EQ(nonces.accept(99, 1U << 21U), Verdict::too_old);
  EXPECT_EQ(nonces.accept(101, 1), Verdict::seen);
}

// Against a list that remembers everything, with nonces that come again, of a few values only, so
// that chains in the table are long and often broken.
TEST(LegNonces, AgreesWithAListOverManyTurns) {
  SeededRandom random{3};
  LegNonces nonces{random.next()};
  std::deque<std::uint64_t> order;
  std::set<std::uint64_t> known;
  std::uint64_t forgotten = 0;
  for (std::uint64_t time = 1; time < 60'000; ++time) {
    const std::uint64_t nonce = random.next() % 20'000;
    if (known.contains(nonce)) {
      ASSERT_EQ(nonces.accept(time, nonce), Verdict::seen) << time;
      continue;
    }
    ASSERT_EQ(nonces.accept(time, nonce), Verdict::fresh) << time;
    order.push_back(nonce);
    known.insert(nonce);
    if (order.size() > LegNonces::capacity) {
      known.erase(order.front());
      order.pop_front();
      ++forgotten;
    }
  }
  EXPECT_GT(forgotten, 10'000U);
}

}  // namespace
}  // namespace tw::relay
