#include "lab/wan/model.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

/// The paper's round trips, and lines without a rate: only round trips count.
ModelInput paper(Way way, std::uint64_t bytes = 1000) {
  return {.client = {32.7, 0},
          .middle = {215, 0},
          .server = {26, 0},
          .way = way,
          .bytes = bytes,
          .segment_bytes = 1000};
}

TEST(Model, FirstByteIsWhatTheRoundTripsSay) {
  constexpr double both = 2 * (32.7 + 215 + 26);
  EXPECT_NEAR(predict(paper(Way::unsplit)).ttfb_ms, both, 1e-9);
  EXPECT_NEAR(predict(paper(Way::split)).ttfb_ms, both, 1e-9);  // splitting alone gains nothing
  EXPECT_NEAR(predict(paper(Way::channel)).ttfb_ms, both, 1e-9);
  ModelInput input = paper(Way::split);
  input.early_syn = true;  // alone it hides the client's handshake under the leg's
  EXPECT_NEAR(predict(input).ttfb_ms, both - 32.7, 1e-9);
  input.warm_legs = true;  // and together the server's under the client's
  EXPECT_NEAR(predict(input).ttfb_ms, 306.4, 1e-9);
  input.early_syn = false;
  EXPECT_NEAR(predict(input).ttfb_ms, both - 215, 1e-9);
}

TEST(Model, EarlySynWaitsForTheRequestWhereTheServerIsNear) {
  ModelInput input = paper(Way::split);
  input.early_syn = input.warm_legs = true;
  input.server.rtt_ms = 60;  // its handshake is the longer one now
  EXPECT_NEAR(predict(input).ttfb_ms, 32.7 / 2 + 215 / 2.0 + 60 + 30 + (32.7 + 215 + 60) / 2, 1e-9);
  input.server.rtt_ms = 2;
  EXPECT_NEAR(predict(input).ttfb_ms, 32.7 + 32.7 + 215 + 2, 1e-9);
}

TEST(Model, RequestsInSynsLeaveOneRoundTrip) {
  ModelInput input = paper(Way::split);
  input.early_syn = input.warm_legs = input.fast_open = true;
  EXPECT_NEAR(predict(input).ttfb_ms, 299.7, 1e-9);
  input.server_fast_open = true;
  EXPECT_NEAR(predict(input).ttfb_ms, 273.7, 1e-9);
  EXPECT_NEAR(predict(input).ttfb_ms, ideal(input).ttfb_ms, 1e-9);
}

TEST(Model, EndToEndFastOpenNeedsBothEnds) {
  ModelInput input = paper(Way::unsplit);
  input.fast_open = true;
  EXPECT_NEAR(predict(input).ttfb_ms, 2 * 273.7, 1e-9);
  input.server_fast_open = true;
  EXPECT_NEAR(predict(input).ttfb_ms, 273.7, 1e-9);
}

TEST(Model, SlowStartDoublesEachRoundTrip) {
  constexpr double rtt = 32.7 + 215 + 26;
  const auto total = [](std::uint64_t segments) {
    return predict(paper(Way::unsplit, segments * 1000)).total_ms;
  };
  EXPECT_NEAR(total(10), 2 * rtt, 1e-9);
  EXPECT_NEAR(total(11), 3 * rtt, 1e-9);
  EXPECT_NEAR(total(30), 3 * rtt, 1e-9);
  EXPECT_NEAR(total(31), 4 * rtt, 1e-9);
  EXPECT_NEAR(total(70), 4 * rtt, 1e-9);
  EXPECT_NEAR(total(71), 5 * rtt, 1e-9);
}

// Why nginx's separate header segment costs 100 KB a round trip: three rounds carry 70 segments.
TEST(Model, HeaderOfItsOwnTakesASegmentOfTheWindow) {
  ModelInput input = paper(Way::unsplit, 70'000);
  const double without = predict(input).total_ms;
  input.header_bytes = 250;
  EXPECT_NEAR(predict(input).total_ms, without + 32.7 + 215 + 26, 1e-9);
}

TEST(Model, LongDownloadApproachesTheRate) {
  ModelInput input = paper(Way::unsplit, 1'000'000'000);
  input.middle.rate_bps = 1e9;
  const Prediction prediction = predict(input);
  EXPECT_GT(prediction.total_ms, 8000);
  EXPECT_LT(prediction.total_ms, 8000 * 1.5);
}

TEST(Model, TurboLeavesTheSlowStartOfTheShortHopsAlone) {
  ModelInput input = paper(Way::split, 10'000'000);
  for (ModelLink* link : {&input.client, &input.middle, &input.server}) link->rate_bps = 1e9;
  input.early_syn = input.warm_legs = true;
  const Prediction warm = predict(input);
  input.turbo = true;
  const Prediction turbo = predict(input);
  EXPECT_NEAR(turbo.ttfb_ms, warm.ttfb_ms, 1e-6);
  EXPECT_LT(turbo.total_ms, warm.total_ms / 2);
  EXPECT_GT(turbo.total_ms, ideal(input).total_ms);
}

// Two windows of a megabyte each: the second leaves when the first is acknowledged.
TEST(Model, WindowOfTheMiddleConnectionLimitsIt) {
  ModelInput input = paper(Way::channel, 2'000'000);
  input.turbo = true;
  const double free = predict(input).total_ms;
  input.middle_window_bytes = 1'000'000;
  EXPECT_GT(predict(input).total_ms, free + 100);
}

TEST(Model, SegmentsLeaveInOrderAndNotBeforeTheyAreThere) {
  const ModelHop hop{.rtt_ms = 100, .rate_bps = 8e6, .initial_window = 2};
  const auto arrived = cross(hop, {{0, 1000}, {0, 2000}, {0, 3000}, {500, 4000}});
  ASSERT_EQ(arrived.size(), 4U);
  EXPECT_NEAR(arrived[0].time_ms, 51, 1e-9);  // 1 ms on the line, 50 on the way
  EXPECT_NEAR(arrived[1].time_ms, 52, 1e-9);
  EXPECT_NEAR(arrived[2].time_ms, 152, 1e-9);  // acknowledged at 101
  EXPECT_NEAR(arrived[3].time_ms, 551, 1e-9);
  EXPECT_EQ(arrived[3].end, 4000U);
}

TEST(Model, NothingToSendTakesNoTimeAndNoWindowIsNoDivision) {
  ModelInput input = paper(Way::split, 0);
  EXPECT_DOUBLE_EQ(predict(input).total_ms, 0);
  input.bytes = 5000;
  input.initial_window = 0;
  EXPECT_GT(predict(input).total_ms, 0);
}

TEST(Model, IdealIsOneRoundTripAndTheRate) {
  ModelInput input = paper(Way::unsplit, 10'000'000);
  input.middle.rate_bps = 2e8;
  input.client.rate_bps = 1e9;
  EXPECT_NEAR(ideal(input).ttfb_ms, 273.7, 1e-9);
  EXPECT_NEAR(ideal(input).total_ms, 273.7 + 400, 1e-9);
}

}  // namespace
}  // namespace tw::lab
