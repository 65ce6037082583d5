#include "wg/tai64n.h"

#include <gtest/gtest.h>

namespace tw::wg {
namespace {

constexpr WallTime noon{1'700'000'000s};

TEST(Tai64n, IsBigEndianFromTheTaiEpoch) {
  const std::array<std::uint8_t, 12> epoch{0x40, 0, 0, 0, 0, 0, 0, 0x0a};
  EXPECT_EQ(Tai64n::of(WallTime{}).bytes, epoch);
  const std::array<std::uint8_t, 12> later{0x40, 0, 0, 0, 0x65, 0x53, 0xf1, 0x0a, 0x1d, 0, 0, 0};
  EXPECT_EQ(Tai64n::of(WallTime{noon.since_epoch + 500ms}).bytes, later);
}

TEST(Tai64n, HidesTheLowerBitsOfTheTime) {
  EXPECT_EQ(Tai64n::of(noon), Tai64n::of(WallTime{noon.since_epoch + 16ms}));
  EXPECT_LT(Tai64n::of(noon), Tai64n::of(WallTime{noon.since_epoch + 17ms}));
}

TEST(Tai64n, TimesBefore1970AreTheEpoch) {
  EXPECT_EQ(Tai64n::of(WallTime{-5s}), Tai64n::of(WallTime{}));
}

TEST(TimestampAfter, IsTheTimeIfThatIsLater) {
  const Tai64n last = Tai64n::of(noon);
  const WallTime now{noon.since_epoch + 5s};
  EXPECT_EQ(timestamp_after(last, now), Tai64n::of(now));
}

// The clock steps back, or stands still for more initiations than a second has rounding steps.
TEST(TimestampAfter, GrowsWhateverTheClockDoes) {
  Tai64n last = Tai64n::of(noon);
  for (int step = 0; step < 200; ++step) {
    const Tai64n next = timestamp_after(last, WallTime{noon.since_epoch - 3600s});
    ASSERT_GT(next, last);
    last = next;
  }
  EXPECT_LT(last, Tai64n::of(WallTime{noon.since_epoch + 5s})) << "and does not run away";
}

}  // namespace
}  // namespace tw::wg
