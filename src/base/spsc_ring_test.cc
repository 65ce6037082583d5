#include "base/spsc_ring.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <thread>

namespace tw {
namespace {

TEST(SpscRing, FirstInFirstOutUpToItsCapacity) {
  SpscRing<int> ring{4};
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(int{i}));
  EXPECT_FALSE(ring.push(99));
  int item = -1;
  EXPECT_TRUE(ring.pop(item));
  EXPECT_EQ(item, 0);
  EXPECT_TRUE(ring.push(4));
  for (int expected = 1; expected <= 4; ++expected) {
    ASSERT_TRUE(ring.pop(item));
    EXPECT_EQ(item, expected);
  }
  EXPECT_FALSE(ring.pop(item));
  EXPECT_TRUE(ring.empty());
}

TEST(SpscRing, WrapsManyTimes) {
  SpscRing<int> ring{2};
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(ring.push(int{i}));
    EXPECT_FALSE(ring.empty());
    int item = -1;
    ASSERT_TRUE(ring.pop(item));
    EXPECT_EQ(item, i);
  }
}

TEST(SpscRing, AnItemThatDoesNotFitIsUntouched) {
  SpscRing<std::unique_ptr<int>> ring{1};
  EXPECT_TRUE(ring.push(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(ring.push(std::move(second)));
  ASSERT_TRUE(second);    // NOLINT(bugprone-use-after-move): push() promises it when it refuses
  EXPECT_EQ(*second, 2);  // NOLINT(bugprone-use-after-move): the same
}

TEST(SpscRing, TwoThreadsSeeEveryItemOnceAndInOrder) {
  constexpr std::uint64_t items = 200'000;
  SpscRing<std::uint64_t> ring{64};
  std::thread producer{[&ring] {
    for (std::uint64_t i = 0; i < items;) {
      if (ring.push(std::uint64_t{i})) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  }};
  std::uint64_t expected = 0;
  while (expected < items) {
    std::uint64_t item = 0;
    if (!ring.pop(item)) {
      std::this_thread::yield();
    } else if (item != expected++) {
      break;
    }
  }
  // Lets the producer end even after a failure.
  for (std::uint64_t item = 0; item < items - 1 && expected != items; ring.pop(item)) {
  }
  producer.join();
  EXPECT_EQ(expected, items);
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace tw
