// The decisions of a journey, without any socket: events go in, steps and phases come out.
#include "relay/journey/journey.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace tw::relay {
namespace {

// The facts of sockets that there are not; counts how often it was asked.
struct Told final : SocketSigns {
  bool heard = false, connecting = false;
  std::uint64_t queued = 0;
  mutable int asked = 0;
  bool is_heard() const noexcept override { return ++asked, heard; }
  bool is_connecting() const noexcept override { return ++asked, connecting; }
  std::uint64_t undelivered() const noexcept override { return ++asked, queued; }
};

class JourneyTest : public testing::Test {
 protected:
  static constexpr Instant start{Duration{100s}};
  static constexpr Duration patience = 900ms;
  static constexpr Ending refused{Outcome::connect_failed, ECONNREFUSED};
  static constexpr Ending reset{Outcome::reset, ECONNRESET};

  static Journey::Onward leg(bool warm = false, bool answers = false) {
    return {
        .by_leg = true, .warm = warm, .connected = warm, .answers = answers, .patience = patience};
  }
  // A client whose back relays.
  static Journey relaying(Journey::Onward back) {
    Journey journey = Journey::of_client(start);
    begin_relaying(journey, std::move(back));
    return journey;
  }
  static void begin_relaying(Journey& journey, Journey::Onward back) {
    journey.go(std::move(back), start);
    journey.connect(start);
    EXPECT_TRUE(journey.go_on(start, /*with_data=*/false));
  }
  Step lose(Journey& journey, Ending ending, bool again = false, bool restartable = true) const {
    return journey.lose_back({.ending = ending, .restartable = restartable, .again = again}, signs);
  }
  Instant deadline(const Journey& journey, bool half_closed = false) const {
    return journey.deadline(limits, half_closed);
  }

  const RelayLimits limits;
  Told signs;
};

// ---- Which phase follows which

TEST_F(JourneyTest, AClientsWayToItsTarget) {
  Journey journey = Journey::of_client(start);
  EXPECT_TRUE(journey.is<Deciding>());
  EXPECT_TRUE(journey.client().is_made());
  EXPECT_FALSE(journey.client().began_early());
  journey.go({}, start);
  EXPECT_TRUE(journey.is<Connecting>());
  EXPECT_FALSE(journey.attempts().by_leg());
  journey.connect(start + 1ms);
  EXPECT_TRUE(journey.go_on(start + 1ms, false));
  EXPECT_TRUE(journey.is<Relaying>());
  EXPECT_EQ(journey.finish({Outcome::closed}), Step::finished);
  EXPECT_EQ(journey.ending(), Ending{Outcome::closed});
}

TEST_F(JourneyTest, ALegsHeaderComesFirst) {
  Journey journey = Journey::of_leg(FrontProof{nullptr}, start);
  EXPECT_TRUE(journey.is_from_leg());
  ASSERT_TRUE(journey.is<ReadingHeader>());
  EXPECT_TRUE(journey.in<ReadingHeader>()->may_wait());
  EXPECT_EQ(deadline(journey), start + warm_leg_timeout);
  journey.begin_header(start + 5s);
  EXPECT_FALSE(journey.in<ReadingHeader>()->may_wait());
  journey.begin_header(start + 7s);
  EXPECT_EQ(deadline(journey), start + 5s + limits.connect_timeout) << "one time for all of it";
  journey.answer_hello(start + 8s);
  EXPECT_EQ(deadline(journey), start + 8s + warm_leg_timeout) << "it may wait for its target";
  journey.take_header();
  EXPECT_TRUE(journey.is<Deciding>());
}

TEST_F(JourneyTest, AHeaderThatDoesNotComeEndsTheLeg) {
  Journey silent = Journey::of_leg(FrontProof{nullptr}, start);
  EXPECT_EQ(silent.expire(start + warm_leg_timeout, signs).step, Step::finished);
  EXPECT_EQ(silent.ending(), Ending{Outcome::idle});
  Journey half = Journey::of_leg(FrontProof{nullptr}, start);
  half.begin_header(start);
  EXPECT_EQ(half.expire(start + limits.connect_timeout, signs).step, Step::finished);
  EXPECT_EQ(half.ending(), Ending{Outcome::bad_header});
}

// Only one that owes nothing may wait; why it was refused is known when it has ended.
TEST_F(JourneyTest, ALegThatOwesItsProofIsRefusedForItsSilence) {
  const auto pop = std::make_shared<PopProof>(std::nullopt);
  Journey journey = Journey::of_leg(FrontProof{pop}, start);
  EXPECT_EQ(deadline(journey), start + limits.connect_timeout);
  EXPECT_EQ(journey.expire(start + limits.connect_timeout, signs).step, Step::finished);
  EXPECT_EQ(journey.ending(), Ending{Outcome::refused_proof});
  EXPECT_NE(journey.fault(), LegFault::none);
}

TEST_F(JourneyTest, ALegIsGreetedAndAskedWhereThatIsWanted) {
  Journey journey = Journey::of_client(start);
  journey.go(leg(/*warm=*/true, /*answers=*/true), start);
  EXPECT_TRUE(journey.in<Connecting>()->writable);
  journey.connect(start);
  journey.greet();
  EXPECT_TRUE(journey.is<Greeting>());
  EXPECT_FALSE(journey.has_leg()) << "it may be anybody's";
  journey.prove(start + 1s);
  EXPECT_FALSE(journey.go_on(start + 1s, false));
  EXPECT_TRUE(journey.is<Asking>());
  EXPECT_TRUE(journey.has_leg());
  EXPECT_EQ(deadline(journey), start + patience);
  journey.commit();
  EXPECT_EQ(deadline(journey), start + 1s + limits.connect_timeout);
  journey.answer(start + 2s, false);
  EXPECT_TRUE(journey.is<Relaying>());
  EXPECT_TRUE(journey.has_leg());
}

// ---- The client

TEST_F(JourneyTest, AHalfWaitsForItsClientAndNoLonger) {
  Journey journey = Journey::of_syn(start + 3s, start);
  EXPECT_TRUE(journey.client().began_early());
  begin_relaying(journey, {});
  journey.in<Relaying>()->notice_death_from = Instant::max();
  EXPECT_EQ(deadline(journey), start + 3s);
  EXPECT_EQ(journey.expire(start + 3s, signs).step, Step::finished);
  EXPECT_EQ(journey.ending(), Ending{Outcome::unclaimed});
}

TEST_F(JourneyTest, AFailureIsKeptForTheClient) {
  Journey journey = Journey::of_syn(start + 3s, start);
  journey.go({}, start);
  EXPECT_EQ(lose(journey, refused), Step::waiting);
  EXPECT_TRUE(journey.is<Failed>());
  EXPECT_EQ(journey.ending(), refused);
  EXPECT_EQ(deadline(journey), start + 3s);
  journey.claim(start + 1s);
  EXPECT_TRUE(journey.is<Finished>());
  EXPECT_EQ(journey.ending(), refused);
}

TEST_F(JourneyTest, AFailureThatNobodyClaimsIsUnclaimed) {
  Journey journey = Journey::of_syn(start + 3s, start);
  journey.connect_by(start + 1s);
  journey.go({}, start);
  lose(journey, refused);
  EXPECT_EQ(deadline(journey), start + 3s) << "nothing is being connected any more";
  EXPECT_EQ(journey.expire(start + 3s, signs).step, Step::finished);
  EXPECT_EQ(journey.ending(), Ending{Outcome::unclaimed});
}

TEST_F(JourneyTest, AFailedHalfNoLongerWaitsForItsLeg) {
  Journey journey = Journey::of_syn(start + 3s, start);
  begin_relaying(journey, leg());
  EXPECT_EQ(deadline(journey), start + patience);
  EXPECT_EQ(lose(journey, reset), Step::waiting) << "the PoP was there: it is its answer";
  EXPECT_TRUE(journey.is<Failed>());
  EXPECT_EQ(deadline(journey), start + 3s);
}

// A client whose SYN is held can be told at once.
TEST_F(JourneyTest, AFailureEndsAHeldSyn) {
  Journey journey = Journey::of_syn(start + 3s, start);
  journey.client().hold({.number = 7, .sequence = 1}, start + 10s);
  EXPECT_EQ(deadline(journey), start + 10s);
  journey.go({}, start);
  EXPECT_EQ(lose(journey, refused), Step::finished);
  EXPECT_EQ(journey.ending(), refused);
}

TEST_F(JourneyTest, AHeldSynThatIsLetGoIsToBeClaimed) {
  Journey journey = Journey::of_syn(start + 3s, start);
  journey.client().hold({.number = 7, .sequence = 1}, start + 10s);
  EXPECT_EQ(journey.expire(start + 10s, signs).step, Step::finished);
  EXPECT_EQ(journey.ending(), Ending{Outcome::connect_failed}) << "not unclaimed: it could not be";

  Journey other = Journey::of_syn(start + 3s, start);
  other.client().hold({.number = 7, .sequence = 1}, start + 10s);
  EXPECT_EQ(other.client().let_go(start + 4s), 7U);
  EXPECT_EQ(deadline(other), start + 4s);
  EXPECT_EQ(other.expire(start + 4s, signs).step, Step::finished);
  EXPECT_EQ(other.ending(), Ending{Outcome::unclaimed});
}

// ---- Another leg

TEST_F(JourneyTest, ARefusalOfTheTargetIsItsAnswer) {
  Journey journey = Journey::of_client(start);
  journey.go({}, start);
  EXPECT_EQ(lose(journey, refused), Step::finished);
  EXPECT_EQ(journey.ending(), refused);
  EXPECT_EQ(signs.asked, 0) << "no system call for nothing";
}

TEST_F(JourneyTest, AFreshLegThatFindsNobodyIsReplaced) {
  Journey journey = Journey::of_client(start);
  journey.go(leg(), start);
  EXPECT_EQ(lose(journey, refused), Step::stale);
  EXPECT_TRUE(journey.is<Deciding>());
  EXPECT_EQ(journey.ending(), refused);
  EXPECT_TRUE(journey.blames_pop());
  EXPECT_FALSE(journey.retry(OtherWay::none, true));
  EXPECT_FALSE(journey.retry(OtherWay::same_pop, true)) << "it has just failed";
  EXPECT_TRUE(journey.retry(OtherWay::elsewhere, true));
  EXPECT_EQ(deadline(journey), start + limits.connect_timeout) << "its time is not the leg's";
  EXPECT_EQ(journey.give_up(journey.ending()), Step::finished);
  EXPECT_EQ(journey.ending(), refused);
}

// It was made, so its PoP lives: that it was reset is the PoP's answer.
TEST_F(JourneyTest, AFreshLegThatWasMadeIsNotReplaced) {
  Journey journey = relaying(leg());
  EXPECT_EQ(lose(journey, reset), Step::finished);
  Journey at_once = Journey::of_client(start);
  at_once.go(leg(), start);
  at_once.connect_and_lose();
  EXPECT_EQ(lose(at_once, reset), Step::finished);
}

TEST_F(JourneyTest, AWarmLegIsReplacedUntilItsPopHasHeardOfUs) {
  Journey journey = relaying(leg(/*warm=*/true));
  EXPECT_EQ(lose(journey, reset), Step::stale);
  EXPECT_FALSE(journey.blames_pop()) << "a leg that waited may be dead, and its PoP alive";
  EXPECT_TRUE(journey.retry(OtherWay::same_pop, true));
  EXPECT_TRUE(journey.retry(OtherWay::elsewhere, true));

  Journey heard = relaying(leg(/*warm=*/true));
  signs.heard = true;
  EXPECT_EQ(lose(heard, reset), Step::finished);
}

TEST_F(JourneyTest, NothingIsReplacedThatWouldMissSomething) {
  Journey journey = relaying(leg(/*warm=*/true));
  EXPECT_EQ(lose(journey, reset, /*again=*/false, /*restartable=*/false), Step::finished);
  EXPECT_EQ(signs.asked, 0);
  Journey committed = relaying(leg(/*warm=*/true));
  committed.commit();
  EXPECT_EQ(lose(committed, reset), Step::finished);
}

// That it is another's leg is known before anything is: whoever it was has told us so.
TEST_F(JourneyTest, AProofThatIsRefusedCostsALegWhateverItHasAcknowledged) {
  signs.heard = true;
  for (const bool again : {true, false}) {
    Journey journey = relaying(leg());
    EXPECT_EQ(lose(journey, {Outcome::refused_proof, 0}, again), Step::stale);
    EXPECT_EQ(journey.blames_pop(), !again);
    EXPECT_EQ(journey.retry(OtherWay::same_pop, true), again);
  }
}

TEST_F(JourneyTest, SoManyLegsAndNoMore) {
  Journey journey = Journey::of_client(start);
  for (int tried = 1; tried < BackAttempts::most_legs; ++tried) {
    journey.go(leg(), start);
    ASSERT_EQ(lose(journey, refused), Step::stale) << tried;
  }
  journey.go(leg(), start);
  EXPECT_FALSE(journey.retry(OtherWay::elsewhere, true));
  EXPECT_EQ(lose(journey, refused), Step::finished);
}

TEST_F(JourneyTest, ADirectWayAfterALegIsFinal) {
  Journey journey = Journey::of_client(start);
  journey.go(leg(), start);
  EXPECT_EQ(lose(journey, refused), Step::stale);
  journey.go({}, start);
  EXPECT_TRUE(journey.attempts().is_committed());
  EXPECT_EQ(lose(journey, refused), Step::finished);
}

// ---- Time

TEST_F(JourneyTest, ASilentLegMayBeReplacedAndMayYetAnswer) {
  Journey journey = relaying(leg(/*warm=*/true));
  EXPECT_EQ(deadline(journey), start + patience);
  EXPECT_EQ(journey.expire(start + patience, signs).step, Step::silent);
  EXPECT_TRUE(journey.blames_pop());
  EXPECT_TRUE(journey.retry(OtherWay::elsewhere, true));
  EXPECT_FALSE(journey.retry(OtherWay::same_pop, true)) << "its PoP is silent, not only the leg";
  EXPECT_FALSE(journey.retry(OtherWay::elsewhere, false));
  EXPECT_EQ(deadline(journey), start + limits.idle_timeout) << "it is said once";
}

TEST_F(JourneyTest, ALegThatHasAcknowledgedIsCommittedTo) {
  Journey journey = relaying(leg(/*warm=*/true));
  signs.heard = true;
  const Journey::Expiry expiry = journey.expire(start + patience, signs);
  EXPECT_EQ(expiry.step, Step::waiting);
  EXPECT_TRUE(expiry.commits);
  EXPECT_TRUE(journey.attempts().is_committed());
  EXPECT_FALSE(journey.retry(OtherWay::elsewhere, true));
}

// A hello tells nothing of the client: another leg would do as well.
TEST_F(JourneyTest, AGreetedLegIsNotCommittedToForAnAcknowledgement) {
  Journey journey = Journey::of_client(start);
  journey.go(leg(/*warm=*/true), start);
  journey.connect(start);
  journey.greet();
  signs.heard = true;
  const Journey::Expiry expiry = journey.expire(start + patience, signs);
  EXPECT_EQ(expiry.step, Step::waiting);
  EXPECT_FALSE(expiry.commits);
  EXPECT_FALSE(journey.attempts().is_committed());
}

TEST_F(JourneyTest, AllWaysTogetherHaveOneTime) {
  Journey journey = Journey::of_client(start);
  journey.connect_by(start + 2s);
  journey.connect_by(start + 9s);
  journey.go(leg(), start);
  EXPECT_EQ(lose(journey, refused), Step::stale);
  journey.go(leg(/*warm=*/true), start + 1500ms);
  journey.connect(start + 1500ms);
  EXPECT_TRUE(journey.go_on(start + 1500ms, false));
  EXPECT_EQ(deadline(journey), start + 2s);
  EXPECT_EQ(journey.expire(start + 2s, signs).step, Step::finished);
  EXPECT_EQ(journey.ending(), (Ending{Outcome::connect_failed, ETIMEDOUT}));
}

TEST_F(JourneyTest, ALegThatIsHeardInTimeIsNotLate) {
  Journey journey = Journey::of_client(start);
  journey.connect_by(start + 500ms);
  begin_relaying(journey, leg(/*warm=*/true));
  signs.heard = true;
  const Journey::Expiry expiry = journey.expire(start + 500ms, signs);
  EXPECT_EQ(expiry.step, Step::waiting);
  EXPECT_TRUE(expiry.commits);
}

// Such a socket may be written to before a server has heard of it.
TEST_F(JourneyTest, WithDataInTheSynToConnectIsNotToBeHeard) {
  for (const bool connecting : {true, false}) {
    Journey journey = Journey::of_client(start);
    journey.connect_by(start + 500ms);
    journey.go({}, start);
    journey.connect(start);
    EXPECT_TRUE(journey.go_on(start, /*with_data=*/true));
    EXPECT_EQ(deadline(journey), start + 500ms);
    signs.connecting = connecting;
    EXPECT_EQ(journey.expire(start + 500ms, signs).step,
              connecting ? Step::finished : Step::waiting);
  }
  Journey answered = Journey::of_client(start);
  answered.connect_by(start + 500ms);
  answered.go({}, start);
  answered.connect(start);
  EXPECT_TRUE(answered.go_on(start, /*with_data=*/true));
  answered.hear_server();
  EXPECT_GT(deadline(answered), start + 500ms);
}

TEST_F(JourneyTest, SilenceEndsByThePhase) {
  Journey connecting = Journey::of_client(start);
  connecting.go({}, start);
  EXPECT_EQ(deadline(connecting), start + limits.connect_timeout);
  EXPECT_EQ(connecting.expire(start + limits.connect_timeout, signs).step, Step::finished);
  EXPECT_EQ(connecting.ending(), Ending{Outcome::connect_failed});

  Journey journey = relaying({});
  EXPECT_EQ(deadline(journey), start + Journey::worth_noticing);
  journey.in<Relaying>()->notice_death_from = Instant::max();
  EXPECT_EQ(deadline(journey), start + limits.idle_timeout);
  EXPECT_EQ(deadline(journey, /*half_closed=*/true), start + limits.half_close_timeout);
  journey.move(start + 5s);
  EXPECT_EQ(deadline(journey), start + 5s + limits.idle_timeout);
}

TEST_F(JourneyTest, AReaderThatIsSlowIsNotSilent) {
  for (const std::uint64_t left : {900U, 0U}) {
    Journey journey = relaying({});
    journey.in<Relaying>()->notice_death_from = Instant::max();
    signs.queued = 1000;
    EXPECT_EQ(journey.expire(start + 60s, signs).step, Step::waiting);
    EXPECT_EQ(deadline(journey, true), start + 60s + limits.half_close_timeout);
    signs.queued = left;
    EXPECT_EQ(journey.expire(start + 120s, signs).step, left > 0 ? Step::waiting : Step::finished);
    if (left == 0) continue;
    EXPECT_EQ(journey.expire(start + 180s, signs).step, Step::finished) << "nothing has moved";
    EXPECT_EQ(journey.ending(), Ending{Outcome::idle});
  }
}

}  // namespace
}  // namespace tw::relay
