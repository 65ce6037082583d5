#include "wg/replay_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"

namespace tw::wg {
namespace {

constexpr std::uint64_t window = ReplayWindow::window;

TEST(ReplayWindow, TakesEachCounterOnce) {
  ReplayWindow seen;
  for (std::uint64_t counter = 0; counter < 3 * window; ++counter) {
    ASSERT_TRUE(seen.accept(counter)) << counter;
    ASSERT_FALSE(seen.accept(counter)) << counter;
  }
}

TEST(ReplayWindow, TakesTheWholeWindowInReverse) {
  ReplayWindow seen;
  const std::uint64_t top = 5 * window + 17;
  EXPECT_TRUE(seen.accept(top));
  for (std::uint64_t back = 1; back <= window; ++back) {
    ASSERT_TRUE(seen.accept(top - back)) << back;
  }
  for (std::uint64_t back = 0; back <= window; ++back) ASSERT_FALSE(seen.accept(top - back));
}

// However far the jump, and wherever in a word it lands: nothing of before is left in the bitmap.
TEST(ReplayWindow, AJumpClearsAllThatItPasses) {
  for (const std::uint64_t jump : {window - 64, window, window + 1, window + 63, 10 * window + 7}) {
    ReplayWindow seen;
    for (std::uint64_t counter = 0; counter < 2 * window; ++counter) {
      ASSERT_TRUE(seen.accept(counter));
    }
    const std::uint64_t top = 2 * window + jump;
    ASSERT_TRUE(seen.accept(top));
    for (std::uint64_t counter = std::max(top - window, 2 * window); counter < top; ++counter) {
      ASSERT_TRUE(seen.accept(counter)) << counter << " after a jump to " << top;
    }
  }
}

TEST(ReplayWindow, RefusesWhatIsBehindTheWindow) {
  ReplayWindow seen;
  EXPECT_TRUE(seen.accept(window + 1));
  EXPECT_FALSE(seen.accept(0));
  EXPECT_TRUE(seen.accept(1));
}

TEST(ReplayWindow, RefusesCountersOfASpentKeypair) {
  ReplayWindow seen;
  EXPECT_FALSE(seen.accept(~std::uint64_t{0}));
  EXPECT_FALSE(seen.accept(reject_after_messages));
  EXPECT_TRUE(seen.accept(0)) << "a refused counter must not move the window";
  EXPECT_TRUE(seen.accept(reject_after_messages - 1));
  EXPECT_FALSE(seen.accept(reject_after_messages - 1));
  EXPECT_TRUE(seen.accept(reject_after_messages - 1 - window));
  EXPECT_FALSE(seen.accept(reject_after_messages - 2 - window));
}

// Jumps of every size around a word and around the whole bitmap, against a set that forgets
// nothing.
TEST(ReplayWindow, AgreesWithASetOverRandomWalks) {
  SeededRandom random{7};
  for (const std::uint64_t stride : {3U, 70U, 600U, 9000U, 20000U}) {
    ReplayWindow seen;
    std::set<std::uint64_t> reference;
    std::uint64_t top = 0;
    for (int step = 0; step < 4000; ++step) {
      const std::uint64_t base = top > 2 * window ? top - 2 * window : 0;
      const bool forward = random.next() % 2 == 0;
      const std::uint64_t counter =
          forward ? top + random.next() % stride : base + random.next() % (top - base + 1);
      const bool expected = counter + window >= top && !reference.contains(counter);
      ASSERT_EQ(seen.accept(counter), expected) << counter << " below " << top;
      if (expected) reference.insert(counter);
      if (expected && counter > top) top = counter;
    }
  }
}

}  // namespace
}  // namespace tw::wg
