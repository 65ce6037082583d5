#include "relay/log/stage_times.h"

#include <gtest/gtest.h>

#include <utility>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};

using News = std::vector<std::pair<Stage, Duration>>;

News news_of(ConnectionTimes& times) {
  News news;
  times.take_news([&](Stage stage, Duration after) { news.emplace_back(stage, after); });
  return news;
}

TEST(ConnectionTimes, CountsFromTheBeginning) {
  ConnectionTimes times{start};
  EXPECT_FALSE(times.has_news());
  EXPECT_FALSE(times.after(Stage::claim));
  times.reach(Stage::connect, start + 20ms);
  times.reach(Stage::first_byte, start + 50ms);
  EXPECT_EQ(times.after(Stage::connect), 20ms);
  EXPECT_FALSE(times.has_reached(Stage::claim)) << "a stage may be left out";
  EXPECT_TRUE(times.has_news());
  EXPECT_EQ(news_of(times), (News{{Stage::connect, 20ms}, {Stage::first_byte, 50ms}}));
  EXPECT_FALSE(times.has_news());
  times.reach(Stage::end, start + 1s);
  EXPECT_EQ(news_of(times), (News{{Stage::end, 1s}})) << "each is news once";
}

TEST(ConnectionTimes, AStageAtTheVeryBeginningIsReached) {
  ConnectionTimes times{start};
  times.reach(Stage::connect, start);
  EXPECT_EQ(times.after(Stage::connect), 0ns);
  EXPECT_EQ(news_of(times), (News{{Stage::connect, 0ns}}));
}

TEST(ConnectionTimes, AWarmLegBeginsWithItsTarget) {
  ConnectionTimes times{start};
  times.begin(start + 5min);
  times.reach(Stage::connect, start + 5min + 30ms);
  EXPECT_EQ(times.after(Stage::connect), 30ms);
}

TEST(StageTimes, KeepsWaysAndStagesApart) {
  StageTimes stages;
  for (std::size_t via = 0; via < via_count; ++via) {
    for (std::size_t stage = 0; stage < stage_count; ++stage) {
      stages.record(static_cast<Via>(via), static_cast<Stage>(stage),
                    Duration{static_cast<std::int64_t>(via * 10 + stage)});
    }
  }
  for (std::size_t via = 0; via < via_count; ++via) {
    for (std::size_t stage = 0; stage < stage_count; ++stage) {
      const auto& histogram = stages.of(static_cast<Via>(via), static_cast<Stage>(stage));
      EXPECT_EQ(histogram.count(), 1U);
      EXPECT_EQ(histogram.max().count(), static_cast<std::int64_t>(via * 10 + stage));
    }
  }
}

}  // namespace
}  // namespace tw::relay
