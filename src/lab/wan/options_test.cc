#include <gtest/gtest.h>

#include "lab/wan/wan.h"

namespace tw::lab {
namespace {

TEST(WanOptions, LossIsNamedByLink) {
  std::array<double, 3> loss{0, 0, 0.5};
  ASSERT_TRUE(parse_loss("client=0.1%,middle=2", loss));
  EXPECT_DOUBLE_EQ(loss[0], 0.001);
  EXPECT_DOUBLE_EQ(loss[1], 0.02);
  EXPECT_DOUBLE_EQ(loss[2], 0.5);  // not named, not changed
}

TEST(WanOptions, LossThatIsNoneIsRefusedInItsOwnWords) {
  for (const char* text : {"", "client", "client=", "client=x", "client=-1", "client=51",
                           "client=1%%", "client=nan", "wan=1", "=1", "client=1 "}) {
    std::array<double, 3> loss{};
    const auto read = parse_loss(text, loss);
    EXPECT_FALSE(read) << text;
    EXPECT_EQ(loss, (std::array<double, 3>{})) << text;
  }
}

TEST(WanOptions, LossBeforeAMistakeIsAllThatIsTaken) {
  std::array<double, 3> loss{};
  const auto read = parse_loss("client=1,wan=1", loss);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().text().find("wan=1"), std::string::npos);
}

TEST(WanOptions, LinksAreAsAskedFor) {
  WanOptions options;
  options.rtt_ms = {10, 20.5, 30};
  options.rate_bps = {1'000'000'000, 200'000'000, 1'000'000'000};
  options.queue_bytes = {0, 1'000'000, 0};
  options.loss = {0.001, 0, 0};
  options.congestion = {.ends = "reno", .pops = "bbr", .legs = "cubic"};
  const TopologyShape shape = shape_of(options);
  EXPECT_EQ(shape.rc_rs.rtt, std::chrono::microseconds{20'500});
  EXPECT_EQ(shape.rc_rs.rate_bps, 200'000'000U);
  EXPECT_EQ(shape.rc_rs.queue, std::chrono::milliseconds{40});  // 1 MB at 200 Mbps
  EXPECT_EQ(shape.client_rc.queue, std::chrono::milliseconds{50});
  EXPECT_DOUBLE_EQ(shape.client_rc.loss, 0.001);
  EXPECT_NE(shape.client_rc.seed, shape.rc_rs.seed);
  EXPECT_EQ(shape.congestion, "reno");
  EXPECT_EQ(shape.pop_congestion, "bbr");
}

}  // namespace
}  // namespace tw::lab
