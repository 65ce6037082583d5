#include "base/statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace tw {
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

// The ranks are those of the tables: the 1st and 6th of 6, the 18th and 33rd of 50.
TEST(Statistics, MedianLiesBetweenRanksOfTheBinomialTable) {
  std::vector<double> values;
  for (int value = 6; value > 0; --value) values.push_back(value);
  const auto six = median_interval(values);
  ASSERT_TRUE(six);
  EXPECT_DOUBLE_EQ(six->low, 1);
  EXPECT_DOUBLE_EQ(six->high, 6);
  for (int value = 7; value <= 50; ++value) values.push_back(value);
  const auto fifty = median_interval(values);
  ASSERT_TRUE(fifty);
  EXPECT_DOUBLE_EQ(fifty->low, 18);
  EXPECT_DOUBLE_EQ(fifty->high, 33);
}

TEST(Statistics, FewValuesHaveNoIntervalOfTheMedian) {
  const std::array values{1.0, 2.0, 3.0, 4.0, 5.0};
  EXPECT_FALSE(median_interval(values));
  EXPECT_FALSE(median_interval({}));
}

TEST(Statistics, NearestRankIsAValueThatOccurred) {
  const std::array values{5.0, 1.0, 4.0, 2.0, 3.0};
  EXPECT_DOUBLE_EQ(nearest_rank(values, 0.5), 3);
  EXPECT_DOUBLE_EQ(nearest_rank(values, 0.99), 5);
  EXPECT_DOUBLE_EQ(nearest_rank(values, 0), 1);
  EXPECT_DOUBLE_EQ(nearest_rank({}, 0.5), 0);
}

// The values 1, 2, 3, 4, 5 have the deviation 1.5811, t of four degrees 2.776.
TEST(Statistics, MeanHasStudentsInterval) {
  const MeanInterval five = mean_interval(std::array{1.0, 2.0, 3.0, 4.0, 5.0});
  EXPECT_DOUBLE_EQ(five.mean, 3);
  ASSERT_TRUE(five.interval);
  EXPECT_NEAR(five.half_width(), 2.776 * 1.58114 / 2.23607, 1e-4);
  EXPECT_FALSE(mean_interval(std::array{7.0}).interval);
  EXPECT_DOUBLE_EQ(mean_interval(std::array{7.0}).mean, 7);
}

TEST(Statistics, IntervalsHoldTheMeanNineteenTimesOfTwenty) {
  std::mt19937_64 engine{1};
  std::normal_distribution<double> distribution{10, 3};
  int held = 0;
  constexpr int trials = 4000;
  for (int trial = 0; trial < trials; ++trial) {
    std::array<double, 8> values;
    for (double& value : values) value = distribution(engine);
    const MeanInterval mean = mean_interval(values);
    held += mean.interval->low <= 10 && 10 <= mean.interval->high ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(held) / trials, 0.95, 0.012);
}

TEST(Statistics, TwoModesAreFoundAndOneIsNot) {
  EXPECT_EQ(two_modes(std::array{1.0, 5.0, 1.1, 5.1, 0.9}), (std::vector{1.0, 5.05}));
  EXPECT_TRUE(two_modes(std::array{1.0, 1.1, 0.9, 1.05}).empty());      // narrow
  EXPECT_TRUE(two_modes(std::array{1.0, 2.0, 3.0, 4.0, 5.0}).empty());  // wide, without a gap
  EXPECT_TRUE(two_modes(std::array{1.0, 1.0, 1.0, 9.0}).empty());       // one that strayed
}

TEST(Statistics, SharesOutsideOfTheRangeAreItsEnds) {
  const std::array values{2.0, 1.0};
  EXPECT_DOUBLE_EQ(percentile(values, -1), 1);
  EXPECT_DOUBLE_EQ(percentile(values, 2), 2);
}

}  // namespace
}  // namespace tw
