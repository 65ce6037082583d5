// Messages that a Handshaker must refuse, which change nothing: the good one still works.
#include <gtest/gtest.h>

#include <algorithm>

#include "wg/cookie.h"
#include "wg/handshaker.h"
#include "wg/noise.h"
#include "wg/test_peers.h"

namespace tw::wg {
namespace {

constexpr PeerId peer{0};

class RefusalTest : public testing::Test {
 protected:
  RefusalTest() {
    EXPECT_TRUE(left.handshaker.add_peer(peer, {right.public_key, {}}));
    EXPECT_TRUE(right.handshaker.add_peer(peer, {left.public_key, {}}));
    left.handshaker.initiate(peer, clock.now(), clock.wall(), left.sink);
    initiation = left.sink.take_sent();
  }
  std::optional<Drop> to_right(const Datagram& datagram) {
    return right.receive(datagram, left.endpoint, clock.now());
  }
  std::optional<Drop> to_left(const Datagram& datagram) {
    return left.receive(datagram, right.endpoint, clock.now());
  }
  Datagram response() {
    EXPECT_EQ(to_right(initiation), std::nullopt);
    right.sink.keypairs.clear();
    return right.sink.take_sent();
  }
  Datagram cookie_reply() {
    EXPECT_EQ(right.receive(initiation, left.endpoint, clock.now(), true), Drop::under_load);
    return right.sink.take_reply();
  }
  /// With a mac1 that fits, as someone who knows the receiver's public key can make it.
  static Datagram with_mac1(Datagram message, const crypto::PublicKey& receiver) {
    CookieJar{}.add_macs(message, MacKeys::of(receiver), Instant{});
    return message;
  }
  /// An initiation to `right` from whoever holds `key`, at `wall`.
  Datagram initiation_of(const crypto::PrivateKey& key, WallTime wall) {
    const Identity self = Identity::of(key);
    std::array<std::uint8_t, wg_initiation_size> message{};
    EXPECT_TRUE(create_initiation(self, right.public_key,
                                  static_secret(self, right.public_key).value(),
                                  crypto::generate_private_key(), Tai64n::of(wall), 4711, message));
    return with_mac1({message.begin(), message.end()}, right.public_key);
  }

  ManualClock clock;
  TestDevice left{1, "192.0.2.1:1001"};
  TestDevice right{2, "192.0.2.2:1002"};
  Datagram initiation;
};

TEST_F(RefusalTest, TruncatedAndExtendedMessages) {
  const Datagram reply = cookie_reply();
  const Datagram answer = response();
  for (const Datagram& good : {initiation, answer, reply}) {
    for (std::size_t size = 0; size <= good.size() + 4; ++size) {
      if (size == good.size()) continue;
      Datagram cut = good;
      cut.resize(size);
      ASSERT_EQ(to_left(cut), Drop::malformed) << int{good[0]} << " of " << size;
      ASSERT_EQ(to_right(cut), Drop::malformed);
    }
  }
  EXPECT_TRUE(left.sink.silent());
  EXPECT_TRUE(right.sink.silent());
  EXPECT_EQ(to_left(answer), std::nullopt);
}

TEST_F(RefusalTest, OtherTypesAndReservedBytes) {
  for (const int type : {0, 2, 3, 4, 5, 255}) {
    Datagram changed = initiation;
    changed[0] = static_cast<std::uint8_t>(type);
    EXPECT_EQ(to_right(changed), Drop::malformed) << type;
  }
  for (const std::size_t reserved : {1U, 2U, 3U}) {
    Datagram changed = initiation;
    changed[reserved] = 1;
    EXPECT_EQ(to_right(changed), Drop::malformed);
  }
  EXPECT_EQ(to_right(initiation), std::nullopt);
}

// mac1 covers the whole message before it; mac2 is not looked at while there is no load.
TEST_F(RefusalTest, EveryFlippedByteOfAnInitiation) {
  for (std::size_t at = 4; at < initiation.size() - 16; ++at) {
    Datagram changed = initiation;
    changed[at] ^= 0x04U;
    ASSERT_EQ(to_right(changed), Drop::bad_mac1) << at;
  }
  EXPECT_TRUE(right.sink.silent());
  EXPECT_TRUE(right.indices.in_use.empty());
  EXPECT_EQ(to_right(initiation), std::nullopt);
}

TEST_F(RefusalTest, EveryFlippedByteOfAnInitiationWithAMac1ThatFits) {
  for (std::size_t at = 8; at < initiation.size() - 32; ++at) {
    Datagram changed = initiation;
    changed[at] ^= 0x04U;
    ASSERT_EQ(to_right(with_mac1(changed, right.public_key)), Drop::bad_handshake) << at;
  }
  EXPECT_TRUE(right.sink.silent());
  EXPECT_TRUE(right.indices.in_use.empty());
  EXPECT_EQ(to_right(initiation), std::nullopt);
}

TEST_F(RefusalTest, EveryFlippedByteOfAResponse) {
  const Datagram good = response();
  for (std::size_t at = 4; at < good.size() - 16; ++at) {
    Datagram changed = good;
    changed[at] ^= 0x04U;
    ASSERT_EQ(to_left(changed), Drop::bad_mac1) << at;
    if (at >= 8 && at < good.size() - 32) {
      ASSERT_EQ(to_left(with_mac1(changed, left.public_key)), Drop::bad_handshake) << at;
    }
  }
  EXPECT_TRUE(left.sink.silent());
  EXPECT_EQ(to_left(good), std::nullopt);
}

TEST_F(RefusalTest, EveryFlippedByteOfACookieReply) {
  const Datagram good = cookie_reply();
  for (std::size_t at = 4; at < good.size(); ++at) {
    Datagram changed = good;
    changed[at] ^= 0x04U;
    ASSERT_EQ(to_left(changed), Drop::bad_handshake) << at;
  }
  EXPECT_EQ(to_left(good), std::nullopt);
}

TEST_F(RefusalTest, AReplayedInitiation) {
  EXPECT_EQ(to_right(initiation), std::nullopt);
  clock.advance(1h);
  EXPECT_EQ(to_right(initiation), Drop::stale_handshake);
  EXPECT_EQ(right.sink.keypairs.size(), 1U);
  EXPECT_EQ(right.indices.in_use.size(), 1U);
}

TEST_F(RefusalTest, AnOlderInitiation) {
  const Datagram older = initiation_of(left.private_key, WallTime{clock.wall().since_epoch - 1s});
  const Datagram newer = initiation_of(left.private_key, WallTime{clock.wall().since_epoch + 1s});
  EXPECT_EQ(to_right(initiation), std::nullopt);
  clock.advance(1s);
  EXPECT_EQ(to_right(older), Drop::stale_handshake);
  EXPECT_EQ(to_right(newer), std::nullopt);
}

TEST_F(RefusalTest, AFloodOfGoodInitiations) {
  EXPECT_EQ(to_right(initiation), std::nullopt);
  const Datagram next = initiation_of(left.private_key, WallTime{clock.wall().since_epoch + 1s});
  clock.advance(handshake_min_interval - 1ns);
  EXPECT_EQ(to_right(next), Drop::stale_handshake);
  clock.advance(1ns);
  EXPECT_EQ(to_right(next), std::nullopt) << "refused for its haste only";
}

TEST_F(RefusalTest, AStrangersInitiation) {
  EXPECT_EQ(to_right(initiation_of(counting_key(99), clock.wall())), Drop::bad_handshake);
  EXPECT_TRUE(right.sink.silent());
}

TEST_F(RefusalTest, AnInitiationFromOurselves) {
  TestDevice other{2, "192.0.2.3:1003"};
  EXPECT_TRUE(other.handshaker.add_peer(peer, {right.public_key, {}}));
  other.handshaker.initiate(peer, clock.now(), clock.wall(), other.sink);
  EXPECT_TRUE(other.sink.sent.empty()) << "a peer with our own key is skipped";
  ASSERT_TRUE(right.handshaker.add_peer(PeerId{1}, {right.public_key, {}}));
  EXPECT_EQ(to_right(initiation_of(right.private_key, clock.wall())), Drop::bad_handshake);
}

TEST_F(RefusalTest, AResponseToAnIndexThatIsNotOurs) {
  Datagram changed = response();
  changed[8] ^= 0xffU;
  EXPECT_EQ(to_left(with_mac1(changed, left.public_key)), Drop::bad_handshake);
}

// The index of our own last response leads to the same peer, and is no index of an initiation.
TEST_F(RefusalTest, AResponseToTheIndexOfAResponse) {
  const Datagram good = response();
  ASSERT_LT(left.public_key, right.public_key) << "or left would give its own handshake up";
  right.handshaker.initiate(peer, clock.now(), clock.wall(), right.sink);
  EXPECT_EQ(to_left(right.sink.take_sent()), std::nullopt);
  Datagram changed = good;
  std::copy_n(left.sink.take_sent().begin() + 4, 4, changed.begin() + 8);
  EXPECT_EQ(to_left(with_mac1(changed, left.public_key)), Drop::bad_handshake);
  EXPECT_EQ(to_left(good), std::nullopt);
}

TEST_F(RefusalTest, AnotherPeersResponseToOurInitiation) {
  TestDevice third{3, "192.0.2.3:1003"};
  ASSERT_TRUE(left.handshaker.add_peer(PeerId{1}, {third.public_key, {}}));
  ASSERT_TRUE(third.handshaker.add_peer(PeerId{0}, {left.public_key, {}}));
  left.handshaker.initiate(PeerId{1}, clock.now(), clock.wall(), left.sink);
  EXPECT_EQ(third.receive(left.sink.take_sent(), left.endpoint, clock.now()), std::nullopt);
  Datagram crossed = third.sink.take_sent();
  std::copy_n(initiation.begin() + 4, 4, crossed.begin() + 8);  // to the index of another handshake
  EXPECT_EQ(to_left(with_mac1(crossed, left.public_key)), Drop::bad_handshake);
  EXPECT_EQ(to_left(response()), std::nullopt);
}

TEST_F(RefusalTest, ACookieReplyThatAnswersNothing) {
  const Datagram reply = cookie_reply();
  EXPECT_EQ(to_left(response()), std::nullopt);
  EXPECT_EQ(to_left(reply), Drop::bad_handshake) << "that handshake is over";
}

TEST_F(RefusalTest, ACookieReplyUnderAnotherKey) {
  CookieChecker impostor;
  impostor.set_public_key(left.public_key);
  std::array<std::uint8_t, wg_cookie_reply_size> reply;
  const auto message = WgInitiationView::of(initiation).value();
  impostor.reply(message.sender_index, message.mac1, left.endpoint, clock.now(), reply);
  EXPECT_EQ(to_left({reply.begin(), reply.end()}), Drop::bad_handshake);
}

TEST_F(RefusalTest, ALowOrderPublicKey) {
  ASSERT_TRUE(left.handshaker.add_peer(PeerId{1}, {crypto::PublicKey{}, {}}));
  left.handshaker.initiate(PeerId{1}, clock.now(), clock.wall(), left.sink);
  EXPECT_TRUE(left.sink.sent.empty());
  std::fill_n(initiation.begin() + 8, 32, std::uint8_t{0});
  EXPECT_EQ(to_right(with_mac1(initiation, right.public_key)), Drop::bad_handshake);
}

TEST_F(RefusalTest, EverythingWithoutAnIdentity) {
  const Datagram good = response();
  left.handshaker.set_private_key({});
  EXPECT_EQ(to_left(good), Drop::bad_handshake);
  EXPECT_EQ(to_left(initiation), Drop::bad_handshake);
  left.handshaker.initiate(peer, clock.now(), clock.wall(), left.sink);
  EXPECT_TRUE(left.sink.silent());
  EXPECT_TRUE(left.indices.in_use.empty());
}

TEST_F(RefusalTest, WhenThereIsNoIndexLeft) {
  right.indices.none_left = true;
  EXPECT_EQ(to_right(initiation), Drop::bad_handshake);
  EXPECT_TRUE(right.sink.silent());
  right.indices.none_left = false;
  EXPECT_EQ(to_right(initiation), std::nullopt) << "the initiation is not spent";

  left.handshaker.forget(peer);
  left.indices.none_left = true;
  clock.advance(rekey_timeout);
  left.handshaker.initiate(peer, clock.now(), clock.wall(), left.sink);
  EXPECT_TRUE(left.sink.sent.empty());
  left.indices.none_left = false;
  clock.advance(rekey_timeout + rekey_timeout_jitter);
  left.handshaker.tick(clock.now(), clock.wall(), left.sink);
  EXPECT_EQ(left.sink.sent.size(), 1U) << "it is tried again";
}

}  // namespace
}  // namespace tw::wg
