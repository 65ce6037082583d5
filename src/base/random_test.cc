#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace tw {
namespace {

// The reference outputs of splitmix64.c for seed 1234567.
TEST(SeededRandom, IsSplitMix64) {
  SeededRandom random{1234567};
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
  EXPECT_EQ(random.next(), 9817491932198370423U);
}

TEST(SeededRandom, OneSeedOneSequence) {
  SeededRandom first{42}, second{42}, other{43};
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t value = first.next();
    EXPECT_EQ(value, second.next());
    differs = differs || value != other.next();
  }
  EXPECT_TRUE(differs);
}

TEST(SystemRandom, DoesNotRepeat) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.next());
  EXPECT_EQ(seen.size(), 1000U);
}

}  // namespace
}  // namespace tw
