// Each timer of section 6 of the whitepaper, one by one.
#include <gtest/gtest.h>

#include <set>

#include "wg/session.h"

namespace tw::wg {
namespace {

constexpr Instant start{1000s};

class SessionTimersTest : public testing::Test {
 protected:
  void install(bool is_initiator, Instant now = start) {
    Keypair keypair;
    keypair.local_index = ++last_index;
    keypair.created = now;
    keypair.is_initiator = is_initiator;
    actions = {};
    released.clear();
    session.install(std::move(keypair), now, released, actions);
    if (!is_initiator) receive(now);
  }
  void send(Instant now, bool is_keepalive = false) {
    actions = {};
    ASSERT_TRUE(session.next_seal(now));
    session.sent(is_keepalive, now, actions);
  }
  void receive(Instant now, bool is_keepalive = false) {
    actions = {};
    released.clear();
    ASSERT_EQ(session.authenticated(*session.find(last_index), counter++, is_keepalive, now,
                                    released, actions),
              std::nullopt);
  }
  void tick(Instant now) {
    released.clear();
    actions = session.tick(now, released);
  }
  /// Nothing is due until just before `deadline`; then it is run.
  void expect_deadline(Instant deadline) {
    ASSERT_EQ(session.next_deadline(), deadline);
    tick(deadline - 1ns);
    EXPECT_FALSE(actions.initiate || actions.send_keepalive || actions.wiped ||
                 actions.staged_expired || actions.staged_overdue || actions.confirmed);
    tick(deadline);
  }

  Session session;
  SessionActions actions;
  ReleasedKeypairs released;
  std::uint32_t last_index = 0;
  std::uint64_t counter = 0;
};

TEST_F(SessionTimersTest, AnInitiatorRekeysWhenItSendsAfterRekeyAfterTime) {
  install(true);
  send(start + rekey_after_time - 1ns);
  EXPECT_FALSE(actions.initiate);
  send(start + rekey_after_time);
  EXPECT_TRUE(actions.initiate);
  send(start + rekey_after_time + 1s);
  EXPECT_FALSE(actions.initiate) << "once in REKEY_TIMEOUT";
  send(start + rekey_after_time + rekey_timeout);
  EXPECT_TRUE(actions.initiate);
}

TEST_F(SessionTimersTest, AKeepaliveRekeysAsDataDoes) {
  install(true);
  send(start + rekey_after_time, true);
  EXPECT_TRUE(actions.initiate);
}

TEST_F(SessionTimersTest, AResponderDoesNotRekeyByTime) {
  install(false);
  send(start + reject_after_time - 1ns);
  EXPECT_FALSE(actions.initiate);
  receive(start + reject_after_time - 1ns);
  EXPECT_FALSE(actions.initiate);
}

TEST_F(SessionTimersTest, AnInitiatorThatOnlyReceivesRekeysAtTheLastMinuteOnce) {
  install(true);
  const Instant late = start + reject_after_time - keepalive_timeout - rekey_timeout;
  receive(late - 1ns);
  EXPECT_FALSE(actions.initiate);
  receive(late, true);
  EXPECT_TRUE(actions.initiate);
  receive(late + rekey_timeout);
  EXPECT_FALSE(actions.initiate);
  install(true, late + 6s);
  receive(late + 6s + (late - start));
  EXPECT_TRUE(actions.initiate) << "each keypair anew";
}

TEST_F(SessionTimersTest, BothRolesRekeyAfterMessages) {
  for (const bool is_initiator : {true, false}) {
    install(is_initiator);
    session.find(last_index)->next_counter = rekey_after_messages - 1;
    send(start);
    EXPECT_FALSE(actions.initiate);
    send(start);
    EXPECT_TRUE(actions.initiate);
    session = Session{};
    counter = 0;
  }
}

TEST_F(SessionTimersTest, DataWithoutAnAnswerInReturnIsAnsweredByAKeepalive) {
  install(true);
  receive(start + 1s);
  receive(start + 2s);
  expect_deadline(start + 1s + keepalive_timeout);
  EXPECT_TRUE(actions.send_keepalive);
  send(start + 1s + keepalive_timeout, true);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
}

TEST_F(SessionTimersTest, SendingAnythingSparesTheKeepalive) {
  install(true);
  receive(start + 1s);
  send(start + 2s, true);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
  receive(start + 3s);
  session.handshake_sent(start + 4s);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
}

TEST_F(SessionTimersTest, AKeepaliveIsNotAnswered) {
  install(true);
  receive(start + 1s, true);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
}

TEST_F(SessionTimersTest, DataWithoutAnyAnswerAsksForAHandshake) {
  install(true);
  send(start + 1s);
  send(start + 9s);
  expect_deadline(start + 1s + keepalive_timeout + rekey_timeout + Duration{last_index});
  EXPECT_TRUE(actions.initiate);
}

// Two ends that fall silent at once do not both begin at once.
TEST_F(SessionTimersTest, TheHandshakeAfterSilenceHasAJitter) {
  constexpr Instant earliest = start + keepalive_timeout + rekey_timeout;
  std::set<Instant> seen;
  for (const std::uint32_t index : {3'000'000'000U, 4'100'000'000U, 77'777'777U}) {
    session = Session{};
    last_index = index;
    install(true);
    send(start);
    EXPECT_GE(session.next_deadline(), earliest);
    EXPECT_LT(session.next_deadline(), earliest + rekey_timeout_jitter);
    EXPECT_TRUE(seen.insert(session.next_deadline()).second);
  }
}

TEST_F(SessionTimersTest, ReceivingAnythingSparesTheHandshake) {
  install(true);
  send(start + 1s);
  receive(start + 2s, true);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
  send(start + 3s);
  session.handshake_received(start + 4s);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
}

TEST_F(SessionTimersTest, AKeepaliveExpectsNoAnswer) {
  install(true);
  send(start + 1s, true);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
}

TEST_F(SessionTimersTest, KeysAreWipedThreeLifetimesAfterTheLast) {
  install(true);
  install(false, start + 100s);
  session.handshake_sent(start + 101s);  // as an answer to the packet that confirmed it
  expect_deadline(start + 100s + 3 * reject_after_time);
  EXPECT_TRUE(actions.wiped);
  EXPECT_EQ(released.indices().size(), 2U);
  EXPECT_EQ(session.find(last_index), nullptr);
  EXPECT_EQ(session.next_deadline(), Instant::max());
}

TEST_F(SessionTimersTest, KeysAreWipedToo_WhenTheHandshakeNeverSucceeds) {
  session.gave_up(start, actions);
  EXPECT_TRUE(actions.staged_expired);
  expect_deadline(start + 3 * reject_after_time);
  EXPECT_TRUE(actions.wiped);
}

TEST_F(SessionTimersTest, GivingUpDoesNotProlongTheLifeOfKeys) {
  install(true);
  session.gave_up(start + 100s, actions);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
}

TEST_F(SessionTimersTest, WhatIsStagedAsksOnceInRekeyTimeout) {
  session.staged(start, actions);
  EXPECT_TRUE(actions.initiate);
  actions = {};
  session.staged(start + rekey_timeout - 1ns, actions);
  EXPECT_FALSE(actions.initiate);
  session.staged(start + rekey_timeout, actions);
  EXPECT_TRUE(actions.initiate);
}

TEST_F(SessionTimersTest, WhatIsStagedWaitsSoLongAndNoLonger) {
  session.staged(start, actions);
  session.staged(start + 1s, actions);
  expect_deadline(start + staged_wait_max);
  EXPECT_TRUE(actions.staged_overdue);
  EXPECT_FALSE(actions.staged_expired) << "what came later may still go";
  session.still_staged(start + 1s);
  expect_deadline(start + 1s + staged_wait_max);
  EXPECT_TRUE(actions.staged_overdue);
  EXPECT_EQ(session.next_deadline(), Instant::max());
}

TEST_F(SessionTimersTest, AKeypairEndsTheWaitOfWhatIsStaged) {
  session.staged(start, actions);
  install(true, start + 1s);
  EXPECT_TRUE(actions.send_keepalive);
  EXPECT_EQ(session.next_deadline(), start + 1s + 3 * reject_after_time);

  session = Session{};
  session.staged(start, actions);
  install(false, start + 1s);
  EXPECT_TRUE(actions.confirmed);
  send(start + 1s);
  receive(start + 1s, true);
  EXPECT_EQ(session.next_deadline(), start + 1s + 3 * reject_after_time);
}

TEST_F(SessionTimersTest, APersistentKeepaliveGoesWhenNothingElseDoes) {
  session = Session{25s};
  EXPECT_LE(session.next_deadline(), start);
  tick(start);
  EXPECT_TRUE(actions.initiate) << "without a keypair the handshake takes its place";
  session.handshake_sent(start);
  install(true, start + 1s);
  expect_deadline(start + 26s);
  EXPECT_TRUE(actions.send_keepalive);
  send(start + 26s, true);
  receive(start + 40s, true);
  expect_deadline(start + 65s);
  EXPECT_TRUE(actions.send_keepalive);
}

TEST_F(SessionTimersTest, APersistentKeepaliveCanBeSwitched) {
  install(true);
  session.set_persistent_keepalive(25s, start + 1s, actions);
  EXPECT_TRUE(actions.send_keepalive) << "switching it on sends one";
  EXPECT_EQ(session.next_deadline(), start + 26s);
  actions = {};
  session.set_persistent_keepalive(10s, start + 2s, actions);
  EXPECT_FALSE(actions.send_keepalive);
  EXPECT_EQ(session.next_deadline(), start + 12s);
  session.set_persistent_keepalive(0s, start + 3s, actions);
  EXPECT_EQ(session.next_deadline(), start + 3 * reject_after_time);
  EXPECT_EQ(session.persistent_keepalive(), 0s);
}

// As when an endpoint has become known since: the first request had nowhere to go.
TEST_F(SessionTimersTest, APersistentKeepaliveSwitchedOnAsksThoughItHasJustAsked) {
  for (int time = 0; time < 2; ++time) {
    actions = {};
    session.set_persistent_keepalive(0s, start, actions);
    EXPECT_FALSE(actions.initiate);
    session.set_persistent_keepalive(25s, start, actions);
    EXPECT_TRUE(actions.initiate);
  }
}

TEST_F(SessionTimersTest, AnExpiredKeypairCannotCarryAKeepalive) {
  install(true);
  receive(start + reject_after_time - 1s, true);
  receive(start + reject_after_time - 1s);
  tick(start + reject_after_time - 1s + keepalive_timeout);
  EXPECT_FALSE(actions.send_keepalive);
  EXPECT_TRUE(actions.initiate);
}

}  // namespace
}  // namespace tw::wg
