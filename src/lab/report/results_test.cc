#include "lab/report/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tw::lab {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Results results() {
  Results results;
  results.levels = {
      {.title = "a", .labels = {{"kind", "a, \"quoted\""}, {"bytes", std::uint64_t{1000}}}},
      {.title = "b", .labels = {{"kind", "b"}}},
      {.title = "never measured", .labels = {{"kind", "c"}}}};
  const auto add = [&](std::size_t level, std::uint32_t round, Measured measured) {
    results.measurements.push_back(
        {.level = level, .round = {.number = round}, .measured = std::move(measured)});
  };
  add(0, 0, {.figures = {{"time_ms", 1}, {"loss", 0.5}}});
  add(1, 0, {.failed = true});
  add(0, 1, {.figures = {{"time_ms", 3}}});
  results.measurements.push_back({.level = 0,
                                  .round = {.number = 0, .counted = false},
                                  .measured = {.figures = {{"time_ms", 99}}}});
  return results;
}

TEST(Results, RowsHoldTheCountedMeasurementsOfMeasuredLevels) {
  const std::vector<ResultRow> rows = results().rows();
  ASSERT_THAT(rows, SizeIs(2));
  ASSERT_THAT(rows[0].estimates, SizeIs(2));
  EXPECT_DOUBLE_EQ(rows[0].estimates[0].mean.mean, 2);
  EXPECT_THAT(rows[0].estimates[1].values, SizeIs(1));
  EXPECT_EQ(rows[1].failed, 1U);
  EXPECT_EQ(results().count_of(0), 2U);
}

TEST(Results, DisturbedMeasurementsAreLeftOutOnlyWhereOthersTakeTheirPlace) {
  Results disturbed = results();
  disturbed.measurements.push_back({.level = 0,
                                    .round = {.number = 2},
                                    .measured = {.figures = {{"time_ms", 1000}}},
                                    .disturbed = true});
  EXPECT_GT(disturbed.row_of(0).estimates[0].mean.mean, 300);
  disturbed.leaves_out_disturbed = true;
  EXPECT_DOUBLE_EQ(disturbed.row_of(0).estimates[0].mean.mean, 2);
  EXPECT_EQ(disturbed.row_of(0).disturbed, 1U);
}

TEST(Results, CsvHasALineAMeasurement) {
  EXPECT_EQ(measurements_csv(results()),
            "round,counted,failed,disturbed,kind,bytes,time_ms,loss\n"
            "0,1,0,0,\"a, \"\"quoted\"\"\",1000,1,0.5\n"
            "0,1,1,0,b,,,\n"
            "1,1,0,0,\"a, \"\"quoted\"\"\",1000,3,\n"
            "0,0,0,0,\"a, \"\"quoted\"\"\",1000,99,\n");
}

TEST(Results, TableSaysMeansWithTheirIntervals) {
  const std::string table = rows_table(results());
  EXPECT_THAT(table, HasSubstr("2 ±12.71"));
  EXPECT_THAT(table, HasSubstr("1 measurements FAILED"));
}

}  // namespace
}  // namespace tw::lab
