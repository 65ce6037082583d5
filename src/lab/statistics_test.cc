#include "lab/statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace tw::lab {
namespace {

TEST(Statistics, MedianOfAnOddNumberIsTheMiddleOne) {
  const Summary summary = summarise(std::array{9.0, 1.0, 5.0});
  EXPECT_DOUBLE_EQ(summary.median, 5);
  EXPECT_DOUBLE_EQ(summary.min, 1);
  EXPECT_DOUBLE_EQ(summary.max, 9);
  EXPECT_EQ(summary.count, 3U);
}

TEST(Statistics, MedianOfAnEvenNumberLiesBetweenTheMiddleTwo) {
  EXPECT_DOUBLE_EQ(summarise(std::array{4.0, 1.0, 3.0, 100.0}).median, 3.5);
}

TEST(Statistics, OneValueIsAllOfThem) {
  const Summary summary = summarise(std::array{7.0});
  EXPECT_DOUBLE_EQ(summary.median, 7);
  EXPECT_DOUBLE_EQ(summary.min, 7);
  EXPECT_DOUBLE_EQ(summary.max, 7);
}

TEST(Statistics, NothingIsCountedAsNothing) {
  EXPECT_EQ(summarise({}).count, 0U);
  EXPECT_DOUBLE_EQ(percentile({}, 0.5), 0);
}

TEST(Statistics, PercentilesAreLinearBetweenNeighbours) {
  const std::array values{10.0, 20.0, 30.0, 40.0, 50.0};
  EXPECT_DOUBLE_EQ(percentile(values, 0), 10);
  EXPECT_DOUBLE_EQ(percentile(values, 0.25), 20);
  EXPECT_DOUBLE_EQ(percentile(values, 0.9), 46);
  EXPECT_DOUBLE_EQ(percentile(values, 1), 50);
}

TEST(Statistics, SharesOutsideOfTheRangeAreItsEnds) {
  const std::array values{2.0, 1.0};
  EXPECT_DOUBLE_EQ(percentile(values, -1), 1);
  EXPECT_DOUBLE_EQ(percentile(values, 2), 2);
}

}  // namespace
}  // namespace tw::lab
