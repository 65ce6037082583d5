#include "wg/cookie.h"

#include <gtest/gtest.h>

#include "wg/protocol.h"

namespace tw::wg {
namespace {

constexpr Instant start{100s};
const Endpoint home = Endpoint::parse("192.0.2.1:51820").value();

// A sender with its jar and a receiver with its checker, and a message that needs macs.
class CookieTest : public testing::Test {
 protected:
  using Message = std::array<std::uint8_t, wg_initiation_size>;
  using Reply = std::array<std::uint8_t, wg_cookie_reply_size>;

  CookieTest() { checker.set_public_key(key); }

  ByteView covered_by_mac1() const { return ByteView{message}.first(116); }
  ByteView mac1() const { return ByteView{message}.subspan(116, 16); }
  ByteView covered_by_mac2() const { return ByteView{message}.first(132); }
  ByteView mac2() const { return ByteView{message}.last(16); }

  bool proves(const Endpoint& from, Instant now) {
    return checker.mac2_valid(covered_by_mac2(), mac2(), from, now);
  }
  Reply reply_at(Instant now) {
    Reply reply;
    checker.reply(77, mac1(), home, now, reply);
    return reply;
  }
  bool take(const Reply& reply, Instant now) {
    return jar.consume(WgCookieReplyView::of(reply).value(), keys, now);
  }

  crypto::PublicKey key{.bytes = {1, 2, 3}};
  MacKeys keys = MacKeys::of(key);
  CookieChecker checker;
  CookieJar jar;
  Message message{1, 0, 0, 0, 77};
};

TEST_F(CookieTest, Mac1IsOfTheReceiversKeyAndTheBytes) {
  jar.add_macs(message, keys, start);
  EXPECT_TRUE(checker.mac1_valid(covered_by_mac1(), mac1()));
  message[50] ^= 1U;
  EXPECT_FALSE(checker.mac1_valid(covered_by_mac1(), mac1()));
  message[50] ^= 1U;
  checker.set_public_key({.bytes = {1, 2, 4}});
  EXPECT_FALSE(checker.mac1_valid(covered_by_mac1(), mac1()));
}

// Keyed hashes of Python's hashlib over the labels of section 5.4.4.
TEST_F(CookieTest, Mac1KnownAnswer) {
  jar.add_macs(message, keys, start);
  const Mac expected{0x25, 0x8c, 0x7c, 0xd9, 0x42, 0xb3, 0x6f, 0xd0,
                     0x0e, 0x7e, 0x16, 0xee, 0xdd, 0xc4, 0xd3, 0xf1};
  EXPECT_TRUE(crypto::equal(mac1(), expected));
  EXPECT_TRUE(crypto::equal(mac2(), Mac{})) << "no cookie, no mac2";
}

TEST_F(CookieTest, ACookieMakesMac2ValidFromThatEndpointOnly) {
  jar.add_macs(message, keys, start);
  EXPECT_FALSE(proves(home, start));
  ASSERT_TRUE(take(reply_at(start), start));
  jar.add_macs(message, keys, start);
  EXPECT_TRUE(proves(home, start));
  EXPECT_FALSE(proves(Endpoint::parse("192.0.2.1:51821").value(), start));
  EXPECT_FALSE(proves(Endpoint::parse("192.0.2.2:51820").value(), start));
  message[131] ^= 1U;
  EXPECT_FALSE(proves(home, start)) << "mac2 covers mac1";
}

TEST_F(CookieTest, TheCheckerForgetsItsSecretAfterTwoMinutes) {
  jar.add_macs(message, keys, start);
  ASSERT_TRUE(take(reply_at(start), start));
  jar.add_macs(message, keys, start);
  EXPECT_EQ(checker.next_deadline(), start + cookie_lifetime);
  EXPECT_TRUE(proves(home, start + cookie_lifetime - 1ns));
  EXPECT_FALSE(proves(home, start + cookie_lifetime));
  checker.tick(start + cookie_lifetime);
  EXPECT_EQ(checker.next_deadline(), Instant::max());
  reply_at(start + cookie_lifetime);
  EXPECT_FALSE(proves(home, start + cookie_lifetime)) << "the new secret makes other cookies";
}

TEST_F(CookieTest, TheJarUsesACookieForLessThanItLives) {
  jar.add_macs(message, keys, start);
  ASSERT_TRUE(take(reply_at(start), start));
  jar.add_macs(message, keys, start + cookie_lifetime - cookie_latency - 1ns);
  EXPECT_FALSE(crypto::equal(mac2(), Mac{}));
  jar.add_macs(message, keys, start + cookie_lifetime - cookie_latency);
  EXPECT_TRUE(crypto::equal(mac2(), Mac{}));
}

TEST_F(CookieTest, RefusesRepliesThatAnswerNothing) {
  EXPECT_FALSE(take(reply_at(start), start)) << "nothing was sent";
  jar.add_macs(message, keys, start);
  const Reply reply = reply_at(start);
  message[9] ^= 1U;
  jar.add_macs(message, keys, start);
  EXPECT_FALSE(take(reply, start)) << "it answers the message before";
  const Reply good = reply_at(start);
  EXPECT_TRUE(take(good, start));
  EXPECT_FALSE(take(good, start)) << "one reply a message";
}

TEST_F(CookieTest, RefusesEveryFlippedByteOfTheSealedPart) {
  jar.add_macs(message, keys, start);
  const Reply good = reply_at(start);
  for (std::size_t at = 8; at < good.size(); ++at) {
    Reply reply = good;
    reply[at] ^= 0x40U;
    ASSERT_FALSE(take(reply, start)) << at;
  }
  keys = MacKeys::of({.bytes = {9}});
  EXPECT_FALSE(take(good, start)) << "sealed with another receiver's key";
  keys = MacKeys::of(key);
  EXPECT_TRUE(take(good, start)) << "and what was refused has changed nothing";
}

}  // namespace
}  // namespace tw::wg
