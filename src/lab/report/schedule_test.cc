#include "lab/report/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <numeric>

namespace tw::lab {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

TEST(RoundOrder, IsAPermutationThatTheSeedDecides) {
  RoundOrder one{1}, same{1}, other{2};
  const std::vector<std::size_t> levels{0, 1, 2, 3, 4, 5, 6, 7};
  const auto order = one.next(levels);
  EXPECT_THAT(order, UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(order, same.next(levels));
  EXPECT_NE(order, other.next(levels));
  EXPECT_NE(order, one.next(levels));
  EXPECT_TRUE(one.next({}).empty());
}

// Each of three levels comes first in a third of the rounds, within five deviations.
TEST(RoundOrder, FavoursNoLevel) {
  RoundOrder order{3};
  std::array<int, 3> first{};
  for (int round = 0; round < 3000; ++round) ++first[order.next({0, 1, 2}).front()];
  for (const int count : first) EXPECT_NEAR(count, 1000, 130);
}

TEST(TimeLeft, FollowsWhatTheLevelsTook) {
  const std::array levels{Level{.title = "a", .expected = 1s}, Level{.title = "b", .expected = 10s},
                          Level{.title = "c", .expected = 4s}};
  TimeLeft left{levels};
  EXPECT_EQ(left.expect(1), 10s);
  left.took(0, 2s);  // twice as long as expected, so the others are taken to be, too
  EXPECT_EQ(left.expect(0), 2s);
  EXPECT_EQ(left.expect(1), 20s);
  left.took(1, 30s);
  EXPECT_EQ(left.expect(1), 30s);  // its own past counts for it
  EXPECT_EQ(left.expect(2), Duration{4s} * 32 / 11);
}

}  // namespace
}  // namespace tw::lab
