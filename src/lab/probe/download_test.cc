#include "lab/probe/download.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

TEST(Download, TimingIsReadInMilliseconds) {
  const auto timing = parse_timing("200 10000 0.549012 0.551500\n", 10'000);
  ASSERT_TRUE(timing);
  EXPECT_DOUBLE_EQ(timing->ttfb_ms, 549.012);
  EXPECT_DOUBLE_EQ(timing->total_ms, 551.5);
}

TEST(Download, OnlyTheWholeFileCounts) {
  EXPECT_FALSE(parse_timing("404 10000 0.5 0.6\n", 10'000));
  EXPECT_FALSE(parse_timing("200 9999 0.5 0.6\n", 10'000));
  EXPECT_FALSE(parse_timing("200 10000 0.6 0.5\n", 10'000));
  EXPECT_FALSE(parse_timing("200 10000 0.5\n", 10'000));
  EXPECT_FALSE(parse_timing("", 10'000));
}

TEST(Download, MayTakeLongWhereTheLineIsSlow) {
  EXPECT_EQ(limit_for(50'000'000, 0), std::chrono::seconds{120});
  EXPECT_EQ(limit_for(10'000, 1'000'000), std::chrono::seconds{120});
  EXPECT_GT(limit_for(50'000'000, 1'000'000), std::chrono::seconds{400 * 3});
}

TEST(Download, PathNamesAreReadAsTheyAreWritten) {
  for (const Path path : all_paths) EXPECT_EQ(parse_path(name_of(path)), path);
  EXPECT_FALSE(parse_path("end to end"));
}

}  // namespace
}  // namespace tw::lab
