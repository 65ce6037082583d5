#include "lab/bed/link_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tw::lab {
namespace {

std::vector<std::string> with(std::vector<std::string> options) {
  std::vector<std::string> words{"a", "to-b", "b", "to-a", "200", "215000", "40"};
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

TEST(LinkCommand, RateRoundTripAndQueueAreThoseOfBothDirections) {
  const auto command = LinkCommand::parse(with({}));
  ASSERT_TRUE(command);
  EXPECT_EQ(command->near_namespace, "a");
  EXPECT_EQ(command->far_device, "to-a");
  for (const LinkSettings* settings : {&command->directions.onward, &command->directions.back}) {
    EXPECT_EQ(settings->delay, std::chrono::microseconds{107'500});
    EXPECT_EQ(settings->rate_bps, 200'000'000U);
    EXPECT_EQ(settings->queue_bytes, 1'000'000U);
    EXPECT_DOUBLE_EQ(settings->loss, 0);
  }
  EXPECT_NE(command->directions.onward.seed, command->directions.back.seed);
  EXPECT_EQ(command->then_bps, 0U);
}

TEST(LinkCommand, OptionsAreOfTheirDirectionAlone) {
  const auto command = LinkCommand::parse(with({"--back-loss-ppm=1000", "--onward-hold-us=1-20",
                                                "--back-police-bytes=131072", "--then-mbps=20"}));
  ASSERT_TRUE(command);
  const auto& [onward, back] = command->directions;
  EXPECT_DOUBLE_EQ(back.loss, 0.001);
  EXPECT_TRUE(back.polices);
  EXPECT_EQ(back.queue_bytes, 131'072U);
  EXPECT_FALSE(onward.polices);
  EXPECT_EQ(onward.most_hold, std::chrono::microseconds{20});
  EXPECT_EQ(back.most_hold, Duration::zero());
  EXPECT_EQ(command->then_bps, 20'000'000U);
  EXPECT_EQ(onward.most_rate_bps, 20'000'000U);
}

TEST(LinkCommand, WordsThatAreWrongAreNamed) {
  EXPECT_FALSE(LinkCommand::parse({}));
  EXPECT_FALSE(LinkCommand::parse({"a", "to-b", "b", "to-a", "fast", "215000", "40"}));
  for (const char* option : {"--onward-loss-ppm=x", "--back-hold-us=20-1", "--back-hold-us=0-1",
                             "--then-mbps=0", "--sideways-loss-ppm=1", "--back-colour=1", "more",
                             "--back-loss-ppm=-1", "--back-loss-ppm="}) {
    EXPECT_FALSE(LinkCommand::parse(with({option}))) << option;
  }
  const auto wrong = LinkCommand::parse(with({"--back-colour=1"}));
  EXPECT_THAT(wrong.error().text(), testing::HasSubstr("colour"));
}

}  // namespace
}  // namespace tw::lab
