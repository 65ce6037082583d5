// A Handshaker to which more comes than its curve operations allow: it sends cookies first, and
// not to everybody.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "wg/cookie.h"
#include "wg/test_peers.h"

namespace tw::wg {
namespace {

constexpr PeerId peer{3};

class UnderLoadTest : public testing::Test {
 protected:
  UnderLoadTest() {
    EXPECT_TRUE(left.handshaker.add_peer(peer, {right.public_key, {}}));
    EXPECT_TRUE(right.handshaker.add_peer(peer, {left.public_key, {}}));
  }
  void initiate() { left.handshaker.initiate(peer, clock.now(), clock.wall(), left.sink); }
  void to_next_deadline() {
    clock.advance(left.handshaker.next_deadline() - clock.now());
    left.handshaker.tick(clock.now(), clock.wall(), left.sink);
  }
  std::optional<Drop> to_right(const Datagram& datagram) {
    return right.receive(datagram, left.endpoint, clock.now(), true);
  }
  std::optional<Drop> to_left(const Datagram& datagram) {
    return left.receive(datagram, right.endpoint, clock.now(), true);
  }
  /// The next initiation, and the response of a `right` that has no load.
  Datagram response() {
    initiate();
    EXPECT_EQ(right.receive(left.sink.take_sent(), left.endpoint, clock.now()), std::nullopt);
    return right.sink.take_sent();
  }
  Datagram with_mac1_for_left(Datagram message) {
    CookieJar{}.add_macs(message, MacKeys::of(left.public_key), clock.now());
    return message;
  }
  static Endpoint forged_source(unsigned number) {
    return *Endpoint::parse(fmt::format("198.51.{}.{}:1001", number / 250, number % 250));
  }

  ManualClock clock;
  TestDevice left{1, "192.0.2.1:1001"};
  TestDevice right{2, "[2001:db8::2]:1002"};
};

// Under load a message costs a cookie first; with the cookie the retry passes.
TEST_F(UnderLoadTest, ACookieIsWanted) {
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), Drop::under_load);
  EXPECT_TRUE(right.sink.keypairs.empty());
  ASSERT_EQ(right.sink.replies.size(), 1U);
  EXPECT_EQ(right.sink.replies[0].first, left.endpoint);
  EXPECT_EQ(to_left(right.sink.take_reply()), std::nullopt);
  EXPECT_TRUE(left.sink.sent.empty()) << "the cookie waits for the retry";
  to_next_deadline();
  const Datagram with_cookie = left.sink.take_sent();
  EXPECT_EQ(right.receive(with_cookie, right.endpoint, clock.now(), true), Drop::under_load)
      << "from another address the cookie is worth nothing";
  EXPECT_EQ(to_right(with_cookie), std::nullopt);

  const Datagram response = right.sink.take_sent();
  EXPECT_EQ(to_left(response), std::nullopt);
}

TEST_F(UnderLoadTest, ACookieBuysABurstOnly) {
  initiate();
  EXPECT_EQ(to_right(left.sink.take_sent()), Drop::under_load);
  EXPECT_EQ(to_left(right.sink.take_reply()), std::nullopt);
  to_next_deadline();
  const Datagram initiation = left.sink.take_sent();
  EXPECT_EQ(to_right(initiation), std::nullopt);
  for (int again = 1; again < source_burst; ++again) {
    EXPECT_EQ(to_right(initiation), Drop::stale_handshake);
  }
  right.sink.replies.clear();
  EXPECT_EQ(to_right(initiation), Drop::under_load);
  EXPECT_TRUE(right.sink.replies.empty()) << "it has its cookie: no reply";
}

// The first response to an initiation passes without a cookie, the others are asked too: whoever
// has seen the index has one try.
TEST_F(UnderLoadTest, OneResponseIsFree) {
  const Datagram good = response();
  Datagram forged = good;
  forged[12] ^= 1U;
  EXPECT_EQ(to_left(with_mac1_for_left(forged)), Drop::bad_handshake);
  EXPECT_TRUE(left.sink.replies.empty());
  EXPECT_EQ(to_left(good), Drop::under_load);
  EXPECT_EQ(right.receive(left.sink.take_reply(), left.endpoint, clock.now()), std::nullopt);
  clock.advance(rekey_timeout);
  EXPECT_EQ(to_left(response()), std::nullopt) << "a new initiation, a new try";
}

// A message that answers nothing of ours costs neither a cookie nor a curve operation.
TEST_F(UnderLoadTest, NobodyIsRepliedToWhoAnswersNothing) {
  Datagram stray = response();
  stray[8] ^= 1U;
  EXPECT_EQ(to_left(with_mac1_for_left(stray)), Drop::bad_handshake);
  EXPECT_TRUE(left.sink.replies.empty());
}

// A flood from forged addresses uses up the strangers' cookies, but not those of who was here.
TEST_F(UnderLoadTest, CookieRepliesHaveARate) {
  EXPECT_EQ(to_left(response()), std::nullopt);
  clock.advance(rekey_timeout);
  initiate();
  const Datagram initiation = left.sink.take_sent();
  for (unsigned source = 0; source < 1000; ++source) {
    EXPECT_EQ(right.receive(initiation, forged_source(source), clock.now(), true),
              Drop::under_load);
  }
  EXPECT_EQ(right.sink.replies.size(), std::size_t{stranger_reply_burst + other_reply_burst});
  right.sink.replies.clear();
  EXPECT_EQ(to_right(initiation), Drop::under_load);
  ASSERT_EQ(right.sink.replies.size(), 1U);
  EXPECT_EQ(right.sink.replies[0].first, left.endpoint);
  EXPECT_LE(right.sink.replies[0].second.size(), initiation.size()) << "nothing to amplify with";
}

}  // namespace
}  // namespace tw::wg
