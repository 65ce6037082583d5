#include "base/hash_marks.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace tw {
namespace {

// Above the half that chooses the slot, and beyond the bit that every mark has.
constexpr std::uint64_t other_half = std::uint64_t{2} << 32U;

TEST(HashMarks, KnowsWhatItWasToldAndNothingElse) {
  HashMarks marks{1024};
  for (const std::uint64_t hash : {std::uint64_t{0}, std::uint64_t{1023}, ~std::uint64_t{0}}) {
    EXPECT_FALSE(marks.has(hash)) << hash;
    marks.remember(hash);
    EXPECT_TRUE(marks.has(hash)) << hash;
  }
  EXPECT_FALSE(marks.has(1)) << "the same mark, another slot";
  EXPECT_FALSE(marks.has(other_half)) << "the same slot, another mark";
}

TEST(HashMarks, WhoeverComesLaterTakesTheSlot) {
  HashMarks marks{1024};
  marks.remember(7);
  marks.remember(8);
  marks.remember(7 + other_half);
  EXPECT_FALSE(marks.has(7));
  EXPECT_TRUE(marks.has(7 + other_half));
  EXPECT_TRUE(marks.has(8)) << "and nobody else's";
  marks.remember(7);
  EXPECT_TRUE(marks.has(7));
}

TEST(HashMarks, ClearForgetsAll) {
  HashMarks marks{1024};
  marks.remember(7);
  marks.clear();
  EXPECT_FALSE(marks.has(7));
  marks.remember(7);
  EXPECT_TRUE(marks.has(7));
}

TEST(HashMarks, AFullTableKnowsNoStranger) {
  HashMarks marks{64};
  SeededRandom random{1};
  for (int i = 0; i < 10'000; ++i) marks.remember(random.next());
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(marks.has(random.next()));
}

}  // namespace
}  // namespace tw
