#include "lab/clients/initiator.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "lab/clients/keys.h"
#include "wg/handshaker.h"

namespace tw::lab {
namespace {

class Indices final : public wg::IndexSource {
 public:
  std::optional<std::uint32_t> allocate(wg::PeerId) noexcept override { return ++last_; }
  void release(std::uint32_t) noexcept override {}

 private:
  std::uint32_t last_ = 500;
};

/// A WireGuard responder in memory, which knows client 0 of seed 1.
class Target final : public wg::HandshakeSink {
 public:
  Target() {
    device.set_private_key(target_key(1));
    device.add_peer({0}, {crypto::public_key_of(client_key(1, 0)), {}});
  }
  void send(wg::PeerId, const std::optional<Endpoint>&, ByteView datagram) noexcept override {
    answers.emplace_back(datagram.begin(), datagram.end());
  }
  void reply(const Endpoint&, ByteView datagram) noexcept override {
    answers.emplace_back(datagram.begin(), datagram.end());
  }
  bool established(wg::PeerId, wg::Keypair established, const Endpoint&) noexcept override {
    keypair = established;
    return true;
  }
  void gave_up(wg::PeerId) noexcept override {}

  SeededRandom random{1};
  Indices indices;
  wg::Handshaker device{indices, random};
  std::vector<std::vector<std::uint8_t>> answers;
  std::optional<wg::Keypair> keypair;
};

class InitiatorTest : public testing::Test {
 protected:
  std::optional<Drop> begin(std::uint32_t index, bool under_load = false) {
    EXPECT_TRUE(initiator.begin(index, clock.now(), clock.wall(), initiation));
    return target.device.receive(initiation, from, clock.now(), under_load, target);
  }

  ManualClock clock;
  Target target;
  HandshakeTarget identity = HandshakeTarget::of(crypto::public_key_of(target_key(1)));
  Initiator initiator{client_key(1, 0), identity};
  Endpoint from = *Endpoint::parse("192.0.2.7:1234");
  std::array<std::uint8_t, wg_initiation_size> initiation{};
};

TEST_F(InitiatorTest, EndsWithTheSameKeysAsTheTarget) {
  ASSERT_FALSE(begin(77));
  ASSERT_EQ(target.answers.size(), 1U);
  const auto response = WgResponseView::of(target.answers[0]);
  ASSERT_TRUE(response);
  const auto keypair = initiator.answered(*response, clock.now());
  ASSERT_TRUE(keypair);
  EXPECT_EQ(keypair->send_key, target.keypair->receive_key);
  EXPECT_EQ(keypair->receive_key, target.keypair->send_key);
  EXPECT_EQ(keypair->local_index, 77U);
  EXPECT_FALSE(initiator.is_waiting());
  EXPECT_FALSE(initiator.answered(*response, clock.now()));  // not twice
}

// One after the other, as fast as the target allows: timestamps must grow all the same.
TEST_F(InitiatorTest, BeginsAgainAtOnce) {
  for (std::uint32_t index = 1; index < 20; ++index) {
    EXPECT_FALSE(begin(index)) << index;
    clock.advance(wg::handshake_min_interval);
    clock.set_wall({});
  }
}

TEST_F(InitiatorTest, AnAnswerToAnEarlierInitiationIsNone) {
  ASSERT_FALSE(begin(1));
  clock.advance(5s);
  ASSERT_FALSE(begin(2));
  EXPECT_FALSE(initiator.answered(*WgResponseView::of(target.answers[0]), clock.now()));
  EXPECT_TRUE(initiator.is_waiting());
  EXPECT_TRUE(initiator.answered(*WgResponseView::of(target.answers[1]), clock.now()));
}

TEST_F(InitiatorTest, AForgedAnswerIsNone) {
  ASSERT_FALSE(begin(1));
  target.answers[0][20] ^= 1;
  EXPECT_FALSE(initiator.answered(*WgResponseView::of(target.answers[0]), clock.now()));
  EXPECT_TRUE(initiator.is_waiting());
}

TEST_F(InitiatorTest, ShowsTheCookieItWasGiven) {
  EXPECT_EQ(begin(1, true), Drop::under_load);
  const auto reply = WgCookieReplyView::of(target.answers.at(0));
  ASSERT_TRUE(reply);
  EXPECT_TRUE(initiator.cookie(*reply, clock.now()));
  clock.advance(5s);
  EXPECT_FALSE(begin(2, true));
  EXPECT_TRUE(initiator.answered(*WgResponseView::of(target.answers.at(1)), clock.now()));
}

TEST_F(InitiatorTest, ATargetOfLowOrderIsRefused) {
  const HandshakeTarget zero = HandshakeTarget::of({});
  Initiator hopeless{client_key(1, 0), zero};
  EXPECT_FALSE(hopeless.begin(1, clock.now(), clock.wall(), initiation));
  EXPECT_FALSE(hopeless.is_waiting());
}

}  // namespace
}  // namespace tw::lab
