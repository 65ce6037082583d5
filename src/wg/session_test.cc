#include "wg/session.h"

#include <gtest/gtest.h>

namespace tw::wg {
namespace {

constexpr Instant start{1000s};

Keypair keypair(std::uint32_t index, bool is_initiator, Instant created = start) {
  Keypair result;
  result.local_index = index;
  result.remote_index = index + 1000;
  result.created = created;
  result.is_initiator = is_initiator;
  return result;
}

class SessionTest : public testing::Test {
 protected:
  using Indices = std::vector<std::uint32_t>;

  /// Installs and returns what went out of use.
  Indices install(std::uint32_t index, bool is_initiator, Instant now = start) {
    actions = {};
    ReleasedKeypairs released;
    session.install(keypair(index, is_initiator, now), now, released, actions);
    return {released.indices().begin(), released.indices().end()};
  }
  /// A packet under that keypair passes its tag; returns what went out of use.
  Indices receive(std::uint32_t index, std::uint64_t counter, Instant now = start) {
    actions = {};
    ReleasedKeypairs released;
    LiveKeypair* under = session.find(index);
    EXPECT_NE(under, nullptr);
    if (under != nullptr) {
      verdict = session.authenticated(*under, counter, false, now, released, actions);
    }
    return {released.indices().begin(), released.indices().end()};
  }
  /// The index that packets are sealed for, 0 without a keypair.
  std::uint32_t sealing(Instant now = start) {
    const auto slot = session.next_seal(now);
    return slot ? slot->keypair->keys.local_index : 0;
  }
  Indices live() {
    Indices found;
    for (std::uint32_t index = 1; index < 20; ++index) {
      if (session.find(index) != nullptr) found.push_back(index);
    }
    return found;
  }

  Session session;
  SessionActions actions;
  std::optional<Drop> verdict;
};

TEST_F(SessionTest, BeginsWithNothing) {
  EXPECT_FALSE(session.next_seal(start));
  EXPECT_FALSE(session.has_usable_keypair(start));
  EXPECT_EQ(session.find(0), nullptr);
  EXPECT_EQ(session.next_deadline(), Instant::max());
  EXPECT_EQ(session.last_handshake(), WallTime{});
}

TEST_F(SessionTest, IdleSessionsAreSmall) { EXPECT_LE(sizeof(Session), 128U); }

TEST_F(SessionTest, CountersNeverRepeat) {
  install(1, true);
  for (std::uint64_t counter = 0; counter < 100; ++counter) {
    EXPECT_EQ(session.next_seal(start)->counter, counter);
  }
}

TEST_F(SessionTest, AnInitiatorsKeypairIsCurrentAtOnceAndConfirmed) {
  EXPECT_EQ(install(1, true), Indices{});
  EXPECT_TRUE(actions.send_keepalive) << "the responder may not send before";
  EXPECT_EQ(sealing(), 1U);
  EXPECT_EQ(install(2, true), Indices{});
  EXPECT_EQ(sealing(), 2U);
  EXPECT_EQ(live(), (Indices{1, 2})) << "packets under the old one are still on their way";
  EXPECT_EQ(install(3, true), Indices{1});
  EXPECT_EQ(live(), (Indices{2, 3}));
}

TEST_F(SessionTest, AResponderWaitsForTheFirstPacket) {
  EXPECT_EQ(install(1, false), Indices{});
  EXPECT_FALSE(actions.send_keepalive);
  EXPECT_EQ(sealing(), 0U);
  EXPECT_EQ(receive(1, 0), Indices{});
  EXPECT_EQ(verdict, std::nullopt);
  EXPECT_TRUE(actions.confirmed);
  EXPECT_EQ(sealing(), 1U);
  receive(1, 1);
  EXPECT_FALSE(actions.confirmed) << "once a keypair";
}

TEST_F(SessionTest, AResponderKeepsTheCurrentUntilTheNextIsUsed) {
  install(1, true);
  EXPECT_EQ(install(2, false), Indices{});
  EXPECT_EQ(sealing(), 1U);
  EXPECT_EQ(live(), (Indices{1, 2}));
  EXPECT_EQ(receive(2, 0), Indices{});
  EXPECT_EQ(sealing(), 2U);
  EXPECT_EQ(live(), (Indices{1, 2}));
  EXPECT_EQ(install(3, false), Indices{1}) << "a new next drops the previous";
  EXPECT_EQ(receive(3, 0), Indices{});
  EXPECT_EQ(live(), (Indices{2, 3}));
}

TEST_F(SessionTest, ANewNextReplacesOneThatWasNeverUsed) {
  install(1, true);
  install(2, false);
  EXPECT_EQ(install(3, false), Indices{2});
  EXPECT_EQ(live(), (Indices{1, 3}));
}

// Both ends began a handshake: the peer's keypair, not used yet, stays to receive under.
TEST_F(SessionTest, AnInitiatorsKeypairMakesTheNextThePrevious) {
  install(1, true);
  install(2, false);
  EXPECT_EQ(install(3, true), Indices{1});
  EXPECT_EQ(sealing(), 3U);
  EXPECT_EQ(live(), (Indices{2, 3}));
  receive(2, 0);
  EXPECT_FALSE(actions.confirmed);
  EXPECT_EQ(sealing(), 3U) << "a previous keypair does not come back";
}

// Where handshakes crossed and the peer's outlasts: as soon as the peer is seen to use it.
TEST_F(SessionTest, OfTwoThatCrossedTheOutlastingOneIsKept) {
  Keypair peers = keypair(1, false);
  peers.outlasts = true;
  ReleasedKeypairs released;
  session.install(std::move(peers), start, released, actions);
  install(2, true);
  EXPECT_EQ(sealing(), 2U) << "other implementations know no keypair but this";
  EXPECT_EQ(receive(1, 0), Indices{});
  EXPECT_EQ(sealing(), 1U);
  receive(1, 1);
  EXPECT_EQ(sealing(), 1U);
  EXPECT_EQ(live(), (Indices{1, 2}));
  receive(2, 0);
  EXPECT_EQ(sealing(), 2U) << "the peer had confirmed ours before it could know better";
  receive(1, 2);
  EXPECT_EQ(sealing(), 2U) << "and that is the end of it";
}

// A responder's keypair waits for its first packet: what is to be sent meanwhile must not begin a
// handshake of its own, which would cross what the initiator is about to confirm.
TEST_F(SessionTest, AResponderWithTrafficDoesNotAskTooEarly) {
  install(1, false);
  actions = {};
  session.staged(start, actions);
  session.staged(start + rekey_timeout - 1ns, actions);
  EXPECT_FALSE(actions.initiate);
  session.staged(start + rekey_timeout, actions);
  EXPECT_TRUE(actions.initiate) << "no packet has come: the response may be lost";
  receive(1, 0, start + rekey_timeout);
  actions = {};
  session.staged(start + rekey_timeout, actions);
  EXPECT_TRUE(actions.initiate) << "once confirmed it may ask again";
}

TEST_F(SessionTest, ReplaysAreRefusedAndTouchNoTimer) {
  install(1, false);
  receive(1, 7);
  session.sent(false, start + 1s, actions);
  const Instant deadline = session.next_deadline();
  receive(1, 7, start + 2s);
  EXPECT_EQ(verdict, Drop::replayed);
  EXPECT_EQ(session.next_deadline(), deadline);
  receive(1, 8, start + 2s);
  EXPECT_EQ(verdict, std::nullopt);
  EXPECT_NE(session.next_deadline(), deadline);
}

TEST_F(SessionTest, EachKeypairHasItsOwnWindow) {
  install(1, true);
  install(2, true);
  receive(1, 5);
  EXPECT_EQ(verdict, std::nullopt);
  receive(2, 5);
  EXPECT_EQ(verdict, std::nullopt);
}

// Section 6.2: REJECT_AFTER_TIME ends a keypair in both directions.
TEST_F(SessionTest, AnOldKeypairNeitherSealsNorOpens) {
  install(1, true);
  const Instant last = start + reject_after_time - 1ns;
  EXPECT_EQ(sealing(last), 1U);
  EXPECT_EQ(Session::may_open(*session.find(1), 0, last), std::nullopt);
  EXPECT_EQ(sealing(start + reject_after_time), 0U);
  EXPECT_FALSE(session.has_usable_keypair(start + reject_after_time));
  EXPECT_EQ(Session::may_open(*session.find(1), 0, start + reject_after_time),
            Drop::keypair_expired);
}

TEST_F(SessionTest, ASpentKeypairNeitherSealsNorOpens) {
  install(1, true);
  session.find(1)->next_counter = reject_after_messages - 1;
  EXPECT_EQ(session.next_seal(start)->counter, reject_after_messages - 1);
  EXPECT_FALSE(session.next_seal(start));
  const LiveKeypair& spent = *session.find(1);
  EXPECT_EQ(Session::may_open(spent, reject_after_messages - 1, start), std::nullopt);
  EXPECT_EQ(Session::may_open(spent, reject_after_messages, start), Drop::keypair_expired);
}

TEST_F(SessionTest, ClearReleasesAllAndStopsTheTimers) {
  install(1, true);
  install(2, true);
  install(3, false);
  session.sent(false, start, actions);
  session.set_persistent_keepalive(25s, start, actions);
  ReleasedKeypairs released;
  session.clear(released);
  EXPECT_EQ(released.indices().size(), 2U) << "a next has dropped the previous before";
  EXPECT_EQ(live(), Indices{});
  EXPECT_EQ(session.next_deadline(), Instant::max());
}

TEST_F(SessionTest, KeypairsStayWhereTheyAreWhenTheSessionMoves) {
  install(1, true);
  const LiveKeypair* before = session.find(1);
  Session moved = std::move(session);
  EXPECT_EQ(moved.find(1), before);
  EXPECT_EQ(moved.next_seal(start)->keypair, before);
}

}  // namespace
}  // namespace tw::wg
