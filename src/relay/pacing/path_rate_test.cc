#include "relay/pacing/path_rate.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace tw::relay {
namespace {

using Finding = PathShare::Finding;

constexpr std::uint64_t mbps = 1'000'000;
constexpr Instant start{1s};

class PathRateTest : public ::testing::Test {
 protected:
  PathShare leg() { return PathShare{path_}; }
  PathShare sending(Instant now = start) {
    PathShare share = leg();
    share.join(now);
    return share;
  }
  std::uint64_t rate(Instant now = start) const { return path_->rate_bps(now) / mbps; }
  // As if the one leg of an idle path had found it out.
  void teach(std::uint64_t mbits, Finding finding = Finding::carries, Instant now = start) {
    leg().learn(finding, mbits * mbps, now);
  }

  std::shared_ptr<PathRate> path_ = std::make_shared<PathRate>(20 * mbps);
};

TEST_F(PathRateTest, BeginsAtTheFirstRate) {
  EXPECT_EQ(rate(), 20U);
  EXPECT_FALSE(path_->is_limited(start));
  path_->set_first_rate(50 * mbps);
  EXPECT_EQ(rate(), 50U);
}

TEST_F(PathRateTest, ANewFirstRateKeepsWhatWasLearned) {
  teach(300);
  path_->set_first_rate(50 * mbps);
  EXPECT_EQ(rate(), 300U);
}

TEST_F(PathRateTest, ForgetsByHalvesTowardsTheFirstRate) {
  teach(100);
  EXPECT_EQ(rate(start + PathRate::half_life), 60U);
  EXPECT_EQ(rate(start + 2 * PathRate::half_life), 40U);
  EXPECT_EQ(rate(start + 100 * PathRate::half_life), 20U);
}

TEST_F(PathRateTest, ANarrowPathIsForgottenToo) {
  teach(5, Finding::lossy);
  EXPECT_EQ(rate(), 5U);
  EXPECT_GE(path_->rate_bps(start + 100 * PathRate::half_life), 19'999'999U);
}

TEST_F(PathRateTest, WhatArrivesAgainStaysKnown) {
  teach(100);
  for (Instant now = start; now < start + 1h; now = now + 1s) teach(95, Finding::carries, now);
  EXPECT_GE(rate(start + 1h), 99U);
}

TEST_F(PathRateTest, ALegThatCarriesLessLowersNothing) {
  teach(100);
  teach(10);
  EXPECT_EQ(rate(), 100U);
  teach(90, Finding::narrow);
  EXPECT_EQ(rate(), 100U) << "so little is noise";
  teach(50, Finding::narrow);
  EXPECT_EQ(rate(), 50U);
  EXPECT_FALSE(path_->is_limited(start));
}

TEST_F(PathRateTest, WhatWasLostAtARateIsRememberedLongerThanABurstHeldUp) {
  teach(100, Finding::full);
  EXPECT_EQ(rate(), 100U);
  EXPECT_TRUE(path_->is_limited(start + PathRate::limit_memory - 1s));
  EXPECT_FALSE(path_->is_limited(start + PathRate::limit_memory));
  teach(80, Finding::lossy);
  EXPECT_EQ(rate(), 80U);
  teach(80, Finding::full);
  EXPECT_TRUE(path_->is_limited(start + PathRate::overflow_memory - 1s));
  EXPECT_FALSE(path_->is_limited(start + PathRate::overflow_memory));
}

TEST_F(PathRateTest, StaysWithinItsBounds) {
  teach(0, Finding::lossy);
  EXPECT_EQ(path_->rate_bps(start), PathRate::lowest_bps);
  leg().learn(Finding::carries, 2 * PathRate::highest_bps, start);
  EXPECT_EQ(path_->rate_bps(start), PathRate::highest_bps);
}

TEST_F(PathRateTest, TheLeastRoundTripCountsForAWhile) {
  EXPECT_EQ(path_->rtt(start), Duration::zero());
  EXPECT_FALSE(path_->is_short(start)) << "nobody knows";
  path_->note_rtt(Duration::zero(), start);
  path_->note_rtt(20ms, start);
  path_->note_rtt(30ms, start);
  EXPECT_EQ(path_->rtt(start), Duration{20ms});
  path_->note_rtt(1ms, start);
  EXPECT_TRUE(path_->is_short(start));
  const Instant later = start + PathRate::rtt_memory;
  EXPECT_EQ(path_->rtt(later), Duration::zero());
  path_->note_rtt(30ms, later);
  EXPECT_EQ(path_->rtt(later), Duration{30ms});
}

TEST_F(PathRateTest, ALegAloneGetsAll) {
  teach(100);
  PathShare only = leg();
  EXPECT_EQ(only.bps(start), 100 * mbps);
  only.join(start);
  only.join(start);
  EXPECT_EQ(only.bps(start), 100 * mbps) << "it does not count against itself";
  EXPECT_EQ(path_->state(start).sending, 1U);
}

// A rate that one leg was given is not given again, unless the leg does not use it.
TEST_F(PathRateTest, ALegGetsWhatOthersLeave) {
  teach(100);
  PathShare first = sending();
  PathShare second = leg();
  EXPECT_EQ(second.bps(start), 100 * mbps / 8) << "a quarter of an even share";
  first.report(30 * mbps);
  EXPECT_EQ(second.bps(start), 70 * mbps);
  first.leave();
  EXPECT_EQ(second.bps(start), 100 * mbps);
}

TEST_F(PathRateTest, LegsThatStartTogetherGetLessThanTwiceThePath) {
  teach(100);
  std::vector<PathShare> legs;
  std::uint64_t sum = 0;
  for (int i = 0; i < 32; ++i) {
    legs.push_back(leg());
    sum += legs.back().bps(start);
    legs.back().join(start);
  }
  EXPECT_GT(sum, 100 * mbps);
  EXPECT_LT(sum, 200 * mbps);
}

// A leg's finding is about the path, which others use at the same time; but what they were given
// is no evidence of what arrives.
TEST_F(PathRateTest, WhatOthersDeliverIsPartOfTheFinding) {
  teach(100);
  PathShare busy = sending();
  PathShare finder = sending();
  finder.learn(Finding::carries, 90 * mbps, start);
  EXPECT_EQ(rate(), 100U);
  busy.report(60 * mbps);
  finder.learn(Finding::carries, 90 * mbps, start);
  EXPECT_EQ(rate(), 150U);
}

TEST_F(PathRateTest, ALegThatGoesTakesNothingWithIt) {
  teach(100);
  {
    PathShare gone = sending();
    PathShare moved{std::move(gone)};
    moved.report(80 * mbps);
    EXPECT_EQ(path_->state(start).sending, 1U);
  }
  EXPECT_EQ(path_->state(start).sending, 0U);
  EXPECT_EQ(leg().bps(start), 100 * mbps);
}

TEST_F(PathRateTest, CountsHowStartsEnded) {
  PathShare share = leg();
  share.count(PathShare::Verdict::passed);
  share.count(PathShare::Verdict::passed);
  share.count(PathShare::Verdict::failed);
  share.count(PathShare::Verdict::undecided);
  const PathState state = path_->state(start);
  EXPECT_EQ(state.passed, 2U);
  EXPECT_EQ(state.failed, 1U);
  EXPECT_EQ(state.undecided, 1U);
}

}  // namespace
}  // namespace tw::relay
