#include "base/interval.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace tw {
namespace {

// R: t.test(c(4, 5, 6, 7, 9))
TEST(MeanInterval, IsStudents) {
  const std::array<double, 5> runs{4, 5, 6, 7, 9};
  const MeanInterval interval = mean_interval(runs);
  EXPECT_EQ(interval.runs, 5U);
  EXPECT_DOUBLE_EQ(interval.mean, 6.2);
  EXPECT_NEAR(interval.low, 3.8115, 0.001);
  EXPECT_NEAR(interval.high, 8.5885, 0.001);
}

TEST(MeanInterval, OfOneRunIsThatRun) {
  const std::array<double, 1> runs{3};
  EXPECT_EQ(mean_interval(runs).low, 3);
  EXPECT_EQ(mean_interval(runs).high, 3);
  EXPECT_EQ(mean_interval({}).runs, 0U);
}

TEST(MeanInterval, OfManyRunsIsNarrow) {
  std::vector<double> runs;
  for (int n = 0; n < 100; ++n) runs.push_back(n % 2 == 0 ? 1 : 3);
  EXPECT_NEAR(mean_interval(runs).high - 2, 0.197, 0.001);
}

}  // namespace
}  // namespace tw
