// The rule by samples, and the sockets' part on loopback with a Resumer that only takes notes: what
// the kernel makes of a start is tested beside its program (port/kernel/careful_resume_test.cc).
#include "relay/pacing/leg_start.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "relay/pacing/test_resumer.h"
#include "relay/sockets/test_loopback.h"

namespace tw::relay {
namespace {

constexpr std::uint64_t mbps = 1'000'000;
constexpr std::uint32_t segment = 1000, most = 8000;
constexpr Duration rtt = 200ms;
constexpr Instant start{1s};

std::shared_ptr<PathRate> make_path(std::uint64_t mbits = 20) {
  return std::make_shared<PathRate>(mbits * mbps);
}

TcpSample sample() {
  return {.rtt = rtt, .min_rtt = rtt, .window = 10, .slow_start = true, .segment_bytes = segment};
}

class LegRuleTest : public ::testing::Test {
 protected:
  // A start at 20 Mbps: 500 segments in a round trip.
  void begin() { ASSERT_TRUE(rule_.begin(sample(), start)); }
  bool review(const TcpSample& seen, std::optional<Resumer::Found> found = std::nullopt,
              Instant now = start + 400ms) {
    return rule_.review(seen, found, now);
  }
  // It has sent and delivered so much, by a window of so many segments.
  static TcpSample delivered(std::uint64_t bytes, std::uint32_t window = 500,
                             std::uint64_t delivery_bps = 20 * mbps) {
    TcpSample seen = sample();
    seen.window = window;
    seen.sent_bytes = seen.delivered_bytes = bytes;
    seen.delivery_bps = delivery_bps;
    return seen;
  }
  std::uint64_t rate() const { return path_->rate_bps(start + 400ms) / mbps; }

  std::shared_ptr<PathRate> path_ = make_path();
  LegRule rule_{path_, most};
};

TEST_F(LegRuleTest, BeginsWithWhatThePathCarriesInARoundTrip) {
  const auto begun = rule_.begin(sample(), start);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->rate_bps, 20 * mbps);
  EXPECT_EQ(begun->window, 500U);
  EXPECT_EQ(begun->probe, Resumer::Probe::much);
  EXPECT_TRUE(rule_.has_begun());
}

TEST_F(LegRuleTest, ALimitIsPassedOn) {
  PathShare{path_}.learn(PathShare::Finding::lossy, 40 * mbps, start);
  const auto begun = rule_.begin(sample(), start);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->probe, Resumer::Probe::little);
  EXPECT_EQ(begun->window, 1000U);
}

TEST_F(LegRuleTest, NoWindowIsLargerThanItMayBe) {
  LegRule modest{make_path(1000), 300};
  EXPECT_EQ(modest.begin(sample(), start)->window, 300U);
}

TEST_F(LegRuleTest, AWindowThatIsOpenAlreadyStays) {
  TcpSample open = sample();
  open.window = 600;
  EXPECT_FALSE(rule_.begin(open, start));
  EXPECT_TRUE(rule_.has_begun()) << "it is watched all the same";
}

// On the same machine, or in the same town: round trips say more about the host than the path.
TEST_F(LegRuleTest, AShortPathIsLeftAlone) {
  TcpSample near = sample();
  near.rtt = near.min_rtt = 1ms;
  EXPECT_FALSE(rule_.begin(near, start));
  EXPECT_FALSE(rule_.has_begun());
  EXPECT_TRUE(path_->is_short(start));
  near.min_rtt = Duration::zero();
  EXPECT_FALSE(LegRule(make_path(), most).begin(near, start)) << "nothing is known";
}

// A handshake on a busy machine took longer than the path is long: that is no larger window.
TEST_F(LegRuleTest, ALateHandshakeMakesNoLargerWindow) {
  path_->note_rtt(100ms, start);
  EXPECT_EQ(rule_.begin(sample(), start)->window, 250U);
}

TEST_F(LegRuleTest, ThePathLearnsWhatTheWindowHasGrownTo) {
  begin();
  EXPECT_TRUE(review(delivered(600'000, 1000)));
  EXPECT_EQ(rate(), 40U);
  EXPECT_EQ(path_->state(start).passed, 1U);
}

TEST_F(LegRuleTest, AWindowThatWasHardlyUsedProvesNothing) {
  begin();
  EXPECT_TRUE(review(delivered(200'000, 4000, 300 * mbps)));
  EXPECT_EQ(rate(), 20U);
}

// Half of a window of slow start, and all that stands in a queue, has not arrived in time.
TEST_F(LegRuleTest, OnlyWhatArrivesIsLearned) {
  begin();
  TcpSample seen = delivered(5'000'000, 4000, 50 * mbps);
  review(seen);
  EXPECT_EQ(rate(), 100U);

  path_ = make_path();
  rule_ = LegRule{path_, most};
  begin();
  seen.slow_start = false;
  review(seen);
  EXPECT_EQ(rate(), 50U);
}

TEST_F(LegRuleTest, AStartThatIsUnderWayKnowsBetter) {
  begin();
  review(delivered(600'000, 1000), Resumer::Found{.rate_bps = 320 * mbps});
  EXPECT_EQ(rate(), 320U);
}

TEST_F(LegRuleTest, BurstsThatWereHeldUpSayWhatThePathCarries) {
  begin();
  const Resumer::Found full{.rate_bps = 180 * mbps, .is_full = true, .over = true};
  review(delivered(600'000, 4500), full);
  EXPECT_EQ(rate(), 180U);
  EXPECT_TRUE(path_->is_limited(start + 400ms));
  // Once: later its congestion control knows better.
  review(delivered(5'000'000, 6000, 240 * mbps), full, start + 800ms);
  EXPECT_GT(rate(), 230U);
}

TEST_F(LegRuleTest, LossLowersAndIsRemembered) {
  begin();
  TcpSample seen = delivered(600'000, 250);
  seen.retransmitted_bytes = 60'000;
  review(seen);
  EXPECT_EQ(rate(), 10U);
  EXPECT_TRUE(path_->is_limited(start + 400ms));
  EXPECT_EQ(path_->state(start).failed, 1U);
}

// At the end of a file hardly anything is delivered any more.
TEST_F(LegRuleTest, AnEndThatTricklesOutIsNoNarrowPath) {
  begin();
  TcpSample seen = delivered(10'000'000, 450, 1 * mbps);
  seen.retransmitted_bytes = 300'000;
  review(seen);
  EXPECT_EQ(rate(), 18U);
}

TEST_F(LegRuleTest, AFewSegmentsAreLostByChance) {
  begin();
  TcpSample seen = delivered(600'000, 500);
  seen.retransmitted_bytes = 6'000;
  review(seen);
  EXPECT_EQ(rate(), 20U);
  EXPECT_FALSE(path_->is_limited(start + 400ms));
}

// Its congestion control has less, and it has more to send: others use the path, or it is narrower.
TEST_F(LegRuleTest, AWindowThatHasShrunkLowers) {
  begin();
  TcpSample seen = delivered(600'000, 200, 20 * mbps);
  seen.notsent_bytes = 100'000;
  review(seen);
  EXPECT_EQ(rate(), 8U);
  EXPECT_FALSE(path_->is_limited(start + 400ms));
}

TEST_F(LegRuleTest, AReaderThatPausesIsNoNarrowPath) {
  begin();
  TcpSample seen = delivered(600'000, 200, 20 * mbps);
  seen.notsent_bytes = 100'000;
  seen.reader_held = 50ms;
  review(seen);
  EXPECT_EQ(rate(), 20U);
}

TEST_F(LegRuleTest, ALegThatSendsNoMoreTakesNothing) {
  begin();
  EXPECT_TRUE(review(delivered(100'000)));
  EXPECT_EQ(path_->state(start).sending, 1U);
  EXPECT_FALSE(review(delivered(100'000), std::nullopt, start + 800ms));
  EXPECT_FALSE(rule_.has_begun());
  const PathState state = path_->state(start);
  EXPECT_EQ(state.sending, 0U);
  EXPECT_EQ(state.undecided, 1U);
  rule_.end();
  EXPECT_EQ(path_->state(start).undecided, 1U);
}

// ---- With a socket

std::uint64_t pacing_bps(int socket) {
  std::uint64_t bytes_per_s = 0;
  socklen_t size = sizeof bytes_per_s;
  EXPECT_EQ(::getsockopt(socket, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_s, &size), 0);
  return bytes_per_s == ~std::uint64_t{0} ? unpaced_bps : bytes_per_s * 8;
}

class LegStartTest : public ::testing::Test {
 protected:
  // Loopback is short; what the path remembers of others makes it a long one.
  LegStart leg(Resumer* resumer) { return {path_, most, pair_.ours.get(), resumer}; }

  LoopbackPair pair_ = connect_pair();
  std::shared_ptr<PathRate> path_ = make_path();
  TestResumer notes_;
};

TEST_F(LegStartTest, ShortAnswersCostNothing) {
  LegStart begun = leg(&notes_);
  begun.prepare(start);
  begun.on_written(LegStart::unwatched_bytes - 1, start);
  EXPECT_EQ(begun.deadline(), Instant::max());
  EXPECT_EQ(pacing_bps(pair_.ours.get()), unpaced_bps);
  begun.finish(start);
  EXPECT_TRUE(notes_.sockets.empty());
  EXPECT_EQ(notes_.asked, 0);
  EXPECT_EQ(path_->state(start).undecided, 0U);
}

TEST_F(LegStartTest, AShortPathIsFoundOutOnceAndLeftAlone) {
  LegStart begun = leg(&notes_);
  begun.prepare(start);
  begun.on_written(1'000'000, start);
  EXPECT_TRUE(path_->is_short(start));
  begun.on_written(5'000'000, start);
  EXPECT_EQ(begun.deadline(), Instant::max());
  EXPECT_TRUE(notes_.sockets.empty());
}

// Kernels that take no program: the route opens the window, whatever the path.
TEST_F(LegStartTest, WithoutAResumerTheFirstRoundTripIsPaced) {
  LegStart begun = leg(nullptr);
  begun.prepare(start);
  EXPECT_EQ(pacing_bps(pair_.ours.get()), 20 * mbps);
  begun.on_written(1, start);
  ASSERT_LT(begun.deadline(), start + 1s) << "a round trip";
  begun.drive(begun.deadline());
  EXPECT_EQ(pacing_bps(pair_.ours.get()), unpaced_bps);
  EXPECT_EQ(begun.deadline(), Instant::max()) << "the path is short";
  LegStart next = leg(nullptr);
  next.prepare(start);
  EXPECT_EQ(pacing_bps(pair_.ours.get()), unpaced_bps);
}

// A socket that is closed sends what it holds at the rate that it has.
TEST_F(LegStartTest, WithoutAResumerALegThatEndsIsNotPacedAnyMore) {
  LegStart begun = leg(nullptr);
  begun.prepare(start);
  begun.finish(start);
  EXPECT_EQ(pacing_bps(pair_.ours.get()), unpaced_bps);
}

TEST_F(LegStartTest, LeavesASocketAloneThatRefuses) {
  LegStart begun{path_, most, -1, &notes_};
  begun.prepare(start);
  begun.on_written(1'000'000, start);
  EXPECT_EQ(begun.deadline(), Instant::max());
  begun.on_written(100'000'000, start);
  EXPECT_EQ(begun.deadline(), Instant::max());
  EXPECT_TRUE(notes_.sockets.empty());
  begun.finish(start);
}

}  // namespace
}  // namespace tw::relay
