#include "wg/handshaker.h"

#include <gtest/gtest.h>

#include "wg/test_peers.h"

namespace tw::wg {
namespace {

constexpr PeerId peer{3};

class HandshakerTest : public testing::Test {
 protected:
  HandshakerTest() {
    EXPECT_TRUE(left.handshaker.add_peer(peer, {right.public_key, {}}));
    EXPECT_TRUE(right.handshaker.add_peer(peer, {left.public_key, {}}));
  }
  void initiate() { left.handshaker.initiate(peer, clock.now(), clock.wall(), left.sink); }
  void tick() { left.handshaker.tick(clock.now(), clock.wall(), left.sink); }
  /// Moves to the next deadline of `left` and runs it.
  void to_next_deadline() {
    clock.advance(left.handshaker.next_deadline() - clock.now());
    tick();
  }
  std::optional<Drop> to_right(const Datagram& datagram, bool under_load = false) {
    return right.receive(datagram, left.endpoint, clock.now(), under_load);
  }
  std::optional<Drop> to_left(const Datagram& datagram, bool under_load = false) {
    return left.receive(datagram, right.endpoint, clock.now(), under_load);
  }

  ManualClock clock;
  TestDevice left{1, "192.0.2.1:1001"};
  TestDevice right{2, "[2001:db8::2]:1002"};
};

TEST_F(HandshakerTest, OneRoundTripGivesBothAKeypair) {
  initiate();
  ASSERT_EQ(left.sink.sent.size(), 1U);
  EXPECT_EQ(left.sink.sent[0].peer, peer);
  EXPECT_EQ(left.sink.sent[0].to, std::nullopt) << "an initiation goes to the peer's endpoint";
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  ASSERT_EQ(right.sink.keypairs.size(), 1U);
  EXPECT_EQ(right.sink.keypairs[0].from, left.endpoint);
  EXPECT_EQ(right.sink.sent[0].to, left.endpoint)
      << "a response goes where the initiation came from";
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
  ASSERT_EQ(left.sink.keypairs.size(), 1U);

  const Keypair& ours = left.sink.keypairs[0].keypair;
  const Keypair& theirs = right.sink.keypairs[0].keypair;
  EXPECT_TRUE(ours.send_key == theirs.receive_key);
  EXPECT_TRUE(ours.receive_key == theirs.send_key);
  EXPECT_EQ(ours.remote_index, theirs.local_index);
  EXPECT_EQ(left.indices.in_use, std::set{ours.local_index}) << "it belongs to the session now";
  EXPECT_EQ(left.handshaker.next_deadline(), Instant::max());
}

TEST_F(HandshakerTest, PresharedKeysMustAgree) {
  const crypto::PresharedKey preshared = counting_key(9);
  left.handshaker.set_preshared_key(peer, preshared);
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), Drop::bad_handshake);

  right.handshaker.set_preshared_key(peer, preshared);
  to_next_deadline();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
}

// Section 6.4: REKEY_TIMEOUT and some jitter apart, for REKEY_ATTEMPT_TIME, each one new.
TEST_F(HandshakerTest, RetriesUntilTheAttemptTimeIsOver) {
  const Instant begun = clock.now();
  initiate();
  std::set<crypto::Hash> seen{crypto::blake2s({left.sink.take_sent()})};
  Instant last = begun;
  while (left.sink.given_up.empty()) {
    to_next_deadline();
    const Duration pause = clock.now() - last;
    EXPECT_GE(pause, rekey_timeout);
    EXPECT_LE(pause, rekey_timeout + rekey_timeout_jitter);
    last = clock.now();
    if (left.sink.given_up.empty()) {
      EXPECT_TRUE(seen.insert(crypto::blake2s({left.sink.take_sent()})).second);
    }
    EXPECT_LE(left.indices.in_use.size(), 1U) << "the old index is given back";
  }
  EXPECT_GE(last - begun, rekey_attempt_time);
  EXPECT_LE(last - begun, rekey_attempt_time + rekey_timeout + rekey_timeout_jitter);
  EXPECT_GE(seen.size(), 17U);
  EXPECT_EQ(left.sink.given_up, std::vector{peer});
  EXPECT_TRUE(left.indices.in_use.empty());
  EXPECT_EQ(left.handshaker.next_deadline(), Instant::max());
}

TEST_F(HandshakerTest, SaysWhenInitiationsGoUnanswered) {
  initiate();
  for (unsigned sent = 1; sent <= 8; ++sent) {
    EXPECT_EQ(left.sink.times_unanswered, (sent - 1) / unanswered_initiations);
    if (sent < 8) to_next_deadline();
  }
  // An answer, to the last of them, begins the count again.
  const Datagram last = left.sink.sent.back().datagram;
  EXPECT_EQ(to_right(last), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
  left.sink = {};
  clock.advance(rekey_timeout);
  initiate();
  for (unsigned sent = 1; sent < unanswered_initiations; ++sent) to_next_deadline();
  EXPECT_EQ(left.sink.times_unanswered, 0U);
  to_next_deadline();
  EXPECT_EQ(left.sink.times_unanswered, 1U);
}

TEST_F(HandshakerTest, AskingAgainProlongsTheAttempt) {
  const Instant begun = clock.now();
  initiate();
  while (clock.now() - begun < 80s) to_next_deadline();
  initiate();
  while (clock.now() - begun < 160s) to_next_deadline();
  EXPECT_TRUE(left.sink.given_up.empty());
  while (left.sink.given_up.empty()) to_next_deadline();
  EXPECT_GE(clock.now() - begun, 170s);
}

TEST_F(HandshakerTest, AsksNoSoonerThanRekeyTimeout) {
  initiate();
  left.sink.take_sent();
  clock.advance(rekey_timeout - 1ns);
  initiate();
  EXPECT_TRUE(left.sink.sent.empty());
}

// A session that wants another keypair just after one was made gets it, but not at once.
TEST_F(HandshakerTest, ARequestTooSoonAfterAHandshakeWaits) {
  const Instant begun = clock.now();
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
  clock.advance(1s);
  initiate();
  EXPECT_TRUE(left.sink.sent.empty());
  EXPECT_EQ(left.handshaker.next_deadline(), begun + rekey_timeout);
  to_next_deadline();
  EXPECT_EQ(left.sink.sent.size(), 1U);
}

TEST_F(HandshakerTest, ForgetEndsTheAttempt) {
  initiate();
  left.handshaker.forget(peer);
  EXPECT_EQ(left.handshaker.next_deadline(), Instant::max());
  EXPECT_TRUE(left.indices.in_use.empty());
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), Drop::bad_handshake);
}

// The wall clock is set back by a year: the responder still takes every initiation.
TEST_F(HandshakerTest, InitiationsSurviveAClockThatStepsBack) {
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  clock.set_wall(WallTime{clock.wall().since_epoch - 365 * 24h});
  to_next_deadline();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  left.handshaker.remove_peer(peer);
  ASSERT_TRUE(left.handshaker.add_peer(peer, {right.public_key, {}}));
  clock.advance(1s);
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt) << "even for a peer added anew";
}

TEST_F(HandshakerTest, CrossingInitiationsAreBothAnsweredAndBothGoOn) {
  initiate();
  right.handshaker.initiate(peer, clock.now(), clock.wall(), right.sink);
  const Datagram from_left = left.sink.take_sent();
  const Datagram from_right = right.sink.take_sent();
  EXPECT_EQ(to_right(from_left), std::nullopt);
  EXPECT_EQ(to_left(from_right), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  const bool left_is_smaller = left.public_key < right.public_key;
  for (const auto* device : {&left, &right}) {
    const bool ours_outlasts = left_is_smaller == (device == &left);
    ASSERT_EQ(device->sink.keypairs.size(), 2U);
    EXPECT_FALSE(device->sink.keypairs[0].keypair.is_initiator);
    EXPECT_EQ(device->sink.keypairs[0].keypair.outlasts, !ours_outlasts);
    EXPECT_TRUE(device->sink.keypairs[1].keypair.is_initiator);
    EXPECT_EQ(device->sink.keypairs[1].keypair.outlasts, ours_outlasts);
    EXPECT_EQ(device->handshaker.next_deadline(), Instant::max()) << "no retry is left";
  }
}

// A responder whose keypair nobody takes must not answer: the initiator would believe in it.
TEST_F(HandshakerTest, AnUndeliveredKeypairIsNotAnswered) {
  initiate();
  const Datagram initiation = left.sink.take_sent();
  right.sink.full = true;
  EXPECT_EQ(to_right(initiation), Drop::queue_full);
  EXPECT_TRUE(right.sink.silent());
  EXPECT_TRUE(right.indices.in_use.empty());
  right.sink.full = false;
  EXPECT_EQ(to_right(initiation), Drop::stale_handshake) << "its curve operations are spent";
  to_next_deadline();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
}

TEST_F(HandshakerTest, AnInitiatorsUndeliveredKeypairIsRetried) {
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  left.sink.full = true;
  EXPECT_EQ(to_left(right.sink.take_sent()), Drop::queue_full);
  EXPECT_TRUE(left.sink.silent());
  EXPECT_EQ(left.indices.in_use.size(), 1U) << "of the handshake that still waits";
  left.sink.full = false;
  to_next_deadline();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
  EXPECT_EQ(left.indices.in_use.size(), 1U) << "now the session's";
}

TEST_F(HandshakerTest, AResponseIsConsumedOnce) {
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  const Datagram response = right.sink.take_sent();
  EXPECT_EQ(to_left(response), std::nullopt);
  EXPECT_EQ(to_left(response), Drop::bad_handshake);
  EXPECT_EQ(left.sink.keypairs.size(), 1U);
}

TEST_F(HandshakerTest, AResponseToTheInitiationBeforeIsTooLate) {
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  to_next_deadline();
  EXPECT_EQ(to_left(right.sink.take_sent()), Drop::bad_handshake);
}

// want() leaves the curve operations to tick(), and keeps REKEY_TIMEOUT as initiate() does.
TEST_F(HandshakerTest, WantedInitiationsLeaveWithTheNextTick) {
  left.handshaker.want(peer, clock.now());
  EXPECT_TRUE(left.sink.sent.empty());
  EXPECT_EQ(left.handshaker.next_deadline(), clock.now());
  tick();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
  const Instant begun = clock.now();
  clock.advance(1s);
  left.handshaker.want(peer, clock.now());
  tick();
  EXPECT_TRUE(left.sink.sent.empty());
  EXPECT_EQ(left.handshaker.next_deadline(), begun + rekey_timeout);
}

TEST_F(HandshakerTest, ANewPrivateKeyEndsWhatIsUnderWay) {
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  left.handshaker.set_private_key(left.private_key);
  EXPECT_NE(left.handshaker.next_deadline(), Instant::max()) << "the same key changes nothing";
  left.handshaker.set_private_key(counting_key(33));
  EXPECT_EQ(left.handshaker.next_deadline(), Instant::max());
  EXPECT_TRUE(left.indices.in_use.empty());
  EXPECT_EQ(to_left(right.sink.take_sent()), Drop::bad_mac1);

  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), Drop::bad_handshake) << "not the peer it knows";
  right.handshaker.remove_peer(peer);
  ASSERT_TRUE(right.handshaker.add_peer(peer, {crypto::public_key_of(counting_key(33)), {}}));
  to_next_deadline();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
}

TEST_F(HandshakerTest, RemovingAPeerGivesItsIndexBack) {
  initiate();
  left.handshaker.remove_peer(peer);
  EXPECT_TRUE(left.indices.in_use.empty());
  EXPECT_EQ(left.handshaker.next_deadline(), Instant::max());
  initiate();
  EXPECT_EQ(left.sink.sent.size(), 1U) << "nothing new was sent";
  EXPECT_TRUE(left.handshaker.add_peer(PeerId{0}, {right.public_key, {}}));
  EXPECT_FALSE(left.handshaker.add_peer(PeerId{1}, {right.public_key, {}}));
}

// The session of an old response is over, and its index comes round again for another peer.
TEST_F(HandshakerTest, AnIndexMayComeRoundAgain) {
  TestDevice third{3, "192.0.2.3:1003"};
  ASSERT_TRUE(right.handshaker.add_peer(PeerId{4}, {third.public_key, {}}));
  ASSERT_TRUE(third.handshaker.add_peer(peer, {right.public_key, {}}));
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  const std::uint32_t index = right.sink.keypairs[0].keypair.local_index;
  right.sink.sent.clear();
  right.indices.release(index);

  right.indices.set_next(index);
  right.handshaker.initiate(PeerId{4}, clock.now(), clock.wall(), right.sink);
  EXPECT_EQ(third.receive(right.sink.take_sent(), right.endpoint, clock.now()), std::nullopt);
  to_next_deadline();
  EXPECT_EQ(to_right(left.sink.take_sent()), std::nullopt);
  EXPECT_EQ(right.receive(third.sink.take_sent(), third.endpoint, clock.now()), std::nullopt);
}

// All peers are due at once: each tick takes a few, so that messages are read in between.
TEST_F(HandshakerTest, ManyRetriesAreSpreadOverTicks) {
  constexpr std::uint32_t count = 3 * initiations_per_tick;
  for (std::uint32_t at = 0; at < count; ++at) {
    const crypto::PublicKey key = crypto::public_key_of(crypto::generate_private_key());
    ASSERT_TRUE(left.handshaker.add_peer(PeerId{100 + at}, {key, {}}));
    left.handshaker.initiate(PeerId{100 + at}, clock.now(), clock.wall(), left.sink);
  }
  left.sink.sent.clear();
  clock.advance(rekey_timeout + rekey_timeout_jitter);
  tick();
  EXPECT_EQ(left.sink.sent.size(), initiations_per_tick);
  EXPECT_LE(left.handshaker.next_deadline(), clock.now());
  tick();
  tick();
  EXPECT_EQ(left.sink.sent.size(), count);
  EXPECT_GT(left.handshaker.next_deadline(), clock.now());
}

}  // namespace
}  // namespace tw::wg
