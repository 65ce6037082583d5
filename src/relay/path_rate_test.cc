#include "relay/path_rate.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace tw::relay {
namespace {

constexpr std::uint64_t mbps = 1'000'000;
constexpr Duration rtt = 200ms;
constexpr Instant start{1s};

class PathRateTest : public ::testing::Test {
 protected:
  PathShare leg(int socket) { return PathShare{path_, socket}; }
  PathShare sending(int socket, Instant now = start) {
    PathShare share = leg(socket);
    share.join(now);
    share.grant(1, 0, now);
    return share;
  }
  std::uint64_t rate(Instant now = start) const { return path_->rate_bps(now) / mbps; }
  // As if the one leg of an idle path had delivered so much.
  void teach(std::uint64_t mbits, Instant now = start) {
    PathShare share = sending(99, now);
    ASSERT_TRUE(share.take_probe(now).has_value());
    share.pass_probe(mbits * mbps, now);
  }

  std::map<int, std::uint64_t> lowered_;
  std::shared_ptr<PathRate> path_ = std::make_shared<PathRate>(
      20 * mbps, [this](int socket, std::uint64_t bps) { lowered_[socket] = bps / mbps; });
};

TEST_F(PathRateTest, BeginsAtTheFirstRate) {
  EXPECT_EQ(rate(), 20U);
  EXPECT_FALSE(path_->limit_known(start));
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
  PathShare share = sending(1);
  share.lower(0.25, rtt, start);
  EXPECT_EQ(rate(), 5U);
  EXPECT_GE(path_->rate_bps(start + 100 * PathRate::half_life), 19'999'999U);
}

TEST_F(PathRateTest, WhatArrivesAgainStaysKnown) {
  teach(100);
  PathShare share = sending(1);
  for (Instant now = start; now < start + 1h; now = now + 1s) share.confirm(now);
  EXPECT_GE(rate(start + 1h), 99U);
}

TEST_F(PathRateTest, ProbesDoubleUntilOneFails) {
  EXPECT_EQ(path_->probe_extra_bps(start), 20 * mbps);
  PathShare share = sending(1);
  ASSERT_TRUE(share.take_probe(start).has_value());
  share.pass_probe(40 * mbps, start);
  EXPECT_EQ(path_->probe_extra_bps(start), 40 * mbps);

  ASSERT_TRUE(share.take_probe(start).has_value());
  share.fail_probe(60 * mbps, rtt, start);
  EXPECT_EQ(rate(), 57U) << "a little less than what was delivered";
  EXPECT_TRUE(path_->limit_known(start));
  EXPECT_EQ(path_->probe_extra_bps(start), 57 * mbps / 4);
}

TEST_F(PathRateTest, AFailedProbeCorrectsALittle) {
  teach(100);
  PathShare share = sending(1);
  ASSERT_TRUE(share.take_probe(start).has_value());
  share.fail_probe(100 * mbps, rtt, start);
  EXPECT_EQ(rate(), 95U);
  const Instant later = start + 10 * rtt;
  ASSERT_TRUE(share.take_probe(later).has_value());
  share.fail_probe(30 * mbps, rtt, later);
  EXPECT_EQ(rate(later), 85U) << "a tenth at most";
}

TEST_F(PathRateTest, FailingProbesBecomeRare) {
  PathShare share = sending(1);
  Instant now = start;
  Duration pause{};
  for (int failures = 0; failures < 10; ++failures) {
    ASSERT_TRUE(share.take_probe(now).has_value());
    share.fail_probe(20 * mbps, rtt, now);
    const Instant failed = now;
    while (!share.may_probe(now)) now = now + rtt;
    EXPECT_GE(now - failed, pause);
    pause = now - failed;
  }
  EXPECT_GT(pause, 10s);
  EXPECT_LE(pause, 1min);
}

TEST_F(PathRateTest, ALimitThatWasExceededIsNoneAnyMore) {
  PathShare share = sending(1);
  share.lower(0.5, rtt, start);
  const Instant later = start + 1min;
  ASSERT_TRUE(share.take_probe(later).has_value());
  share.pass_probe(40 * mbps, later);
  EXPECT_FALSE(path_->limit_known(later));
}

TEST_F(PathRateTest, ADecayedRateClimbsFastButOnlyUpToTheLimit) {
  teach(200);
  PathShare share = sending(1);
  share.lower(1, rtt, start);
  const Instant later = start + PathRate::limit_memory - 1s;
  ASSERT_TRUE(path_->limit_known(later));
  const std::uint64_t decayed = path_->rate_bps(later);
  ASSERT_LT(decayed, 70 * mbps);
  EXPECT_EQ(path_->probe_extra_bps(later), decayed) << "doubles";
  teach(180, later);
  EXPECT_LE(path_->rate_bps(later) + path_->probe_extra_bps(later), 251 * mbps);
}

TEST_F(PathRateTest, LossIsCountedOncePerRoundTrip) {
  teach(100);
  PathShare one = sending(1), two = sending(2);
  one.lower(0.5, rtt, start);
  two.lower(0.5, rtt, start + 10ms);
  EXPECT_EQ(rate(), 50U);
  two.lower(0.5, rtt, start + rtt);
  EXPECT_NEAR(static_cast<double>(path_->rate_bps(start + rtt)), 25e6, 0.1e6);
}

TEST_F(PathRateTest, NeverFallsToNothingNorRisesForever) {
  PathShare share = sending(1);
  for (int i = 0; i < 20; ++i) share.lower(0, rtt, start + i * rtt);
  EXPECT_EQ(path_->rate_bps(start), PathRate::lowest_bps);
  share.pass_probe(~std::uint64_t{0}, start + 1h);
  EXPECT_EQ(path_->rate_bps(start + 1h), PathRate::highest_bps);
}

// A busy machine sees acknowledgements late: on a short path that is soon a tenth of the rate.
TEST_F(PathRateTest, NeverFallsBelowWhatAnyTcpBeginsWith) {
  path_->note_rtt(1ms);
  PathShare share = sending(1);
  for (int i = 0; i < 20; ++i) share.lower(0.1, rtt, start + i * rtt);
  EXPECT_EQ(path_->rate_bps(start + 20 * rtt), 10U * 1380 * 8 * 1000);
}

TEST_F(PathRateTest, OneLegProbesAtATime) {
  PathShare one = sending(1), two = sending(2);
  ASSERT_TRUE(one.take_probe(start).has_value());
  EXPECT_FALSE(two.take_probe(start).has_value());
  one.leave();
  EXPECT_TRUE(two.take_probe(start).has_value()) << "whoever goes leaves the probe";
}

TEST_F(PathRateTest, SaysWhatItHasLearned) {
  PathShare share = sending(1);
  const auto probe = [&] { ASSERT_TRUE(share.take_probe(start).has_value()); };
  probe();
  share.drop_probe();
  share.drop_probe();  // it has none
  probe();
  share.pass_probe(40 * mbps, start);
  probe();
  share.fail_probe(50 * mbps, rtt, start);
  const PathState state = path_->state(start);
  EXPECT_EQ(state.rate_bps / mbps, 47U);
  EXPECT_TRUE(state.limited);
  EXPECT_EQ(state.sending, 1U);
  EXPECT_EQ(state.undecided, 1U);
  EXPECT_EQ(state.passed, 1U);
  EXPECT_EQ(state.failed, 1U);
}

TEST_F(PathRateTest, LegsShareEvenly) {
  teach(120);
  PathShare one = sending(1);
  EXPECT_EQ(one.bps(start), 120 * mbps);
  PathShare two = sending(2);
  PathShare three = sending(3);
  EXPECT_EQ(one.bps(start), 40 * mbps);
  EXPECT_EQ(leg(4).bps(start), 30 * mbps) << "what a fourth would have";
  two.leave();
  EXPECT_EQ(three.bps(start), 60 * mbps);
  EXPECT_EQ(path_->members(), 2U);
}

TEST_F(PathRateTest, WhoeverHasTooMuchIsLoweredWhenOthersCome) {
  teach(120);
  PathShare one = sending(1);
  EXPECT_TRUE(lowered_.empty());
  PathShare two = sending(2);
  EXPECT_EQ(lowered_, (std::map<int, std::uint64_t>{{1, 60}}));
  EXPECT_EQ(one.granted_bps(), 60 * mbps);
}

TEST_F(PathRateTest, WhatIsGrantedTogetherIsHardlyMoreThanTheRate) {
  teach(120);
  std::vector<PathShare> legs;
  for (int socket = 0; socket < 50; ++socket) {
    legs.push_back(sending(socket));  // moves the others, too
    std::uint64_t granted = 0;
    for (const PathShare& share : legs) granted += share.granted_bps();
    ASSERT_LE(granted, 132 * mbps) << socket;
    ASSERT_GE(granted, 119 * mbps) << socket;
  }
}

TEST_F(PathRateTest, ALegThatUsesLittleLeavesTheRest) {
  teach(120);
  PathShare modest = sending(1), greedy = sending(2);
  modest.report(10 * mbps, false);
  EXPECT_EQ(greedy.bps(start), 110 * mbps);
  EXPECT_EQ(modest.bps(start), 60 * mbps) << "and may have its part when it needs it";
}

TEST_F(PathRateTest, AMovedShareIsTheSameMember) {
  PathShare one = sending(1);
  PathShare moved = std::move(one);
  EXPECT_EQ(path_->members(), 1U);
  PathShare two = sending(2);
  EXPECT_EQ(moved.granted_bps(), 10 * mbps);
  two = std::move(moved);
  EXPECT_EQ(path_->members(), 1U) << "what is overwritten has left";
  EXPECT_EQ(two.socket(), 1);
}

// On a short path slow start costs next to nothing: pacing must not make it slower than it was.
TEST(PathRateFirstTest, AShortPathStartsAsFastAsAnyTcp) {
  PathRate path{20'000'000, [](int, std::uint64_t) {}};
  path.note_rtt(200ms);
  EXPECT_EQ(path.rate_bps(Instant{}), 20'000'000U);
  path.note_rtt(1ms);
  EXPECT_EQ(path.rate_bps(Instant{}), 110'400'000U);
  path.note_rtt(20us);
  path.note_rtt(50ms);
  EXPECT_EQ(path.rate_bps(Instant{}), 110'400'000U) << "the least counts";
  path.set_first_rate(500'000'000);
  EXPECT_EQ(path.rate_bps(Instant{}), 500'000'000U);
}

}  // namespace
}  // namespace tw::relay
