#include "lane/handshake/handshake_gate.h"

#include <gtest/gtest.h>

#include "wg/test_peers.h"

namespace tw::lane {
namespace {

constexpr wg::PeerId peer{0};

class HandshakeGateTest : public testing::Test {
 protected:
  HandshakeGateTest() {
    EXPECT_TRUE(remote.handshaker.add_peer(peer, {own, {}}));
    remote.handshaker.initiate(peer, Instant{1s}, WallTime{}, remote.sink);
    initiation = remote.sink.take_sent();
    with_mac2 = initiation;
    with_mac2.back() = 1;
    gate.set_public_key(own);
  }
  /// Fills the ring until so many wait.
  void fill(std::size_t waiting) {
    while (channel.requests.size() < waiting) {
      ASSERT_TRUE(channel.requests.push(HandshakeRequest{}));
    }
  }
  std::optional<Drop> pass(const wg::Datagram& message) { return gate.pass(message, train); }

  const crypto::PublicKey own = crypto::public_key_of(wg::counting_key(1));
  wg::TestDevice remote{2, "192.0.2.2:1002"};
  wg::Datagram initiation, with_mac2;
  HandshakeChannel channel;
  KnownSources known;
  HandshakeGate gate{channel, known};
  Train train;
};

TEST_F(HandshakeGateTest, HandsOnWhatFits) {
  train.source = remote.endpoint;
  EXPECT_EQ(pass(initiation), std::nullopt);
  HandshakeRequest request;
  ASSERT_TRUE(channel.requests.pop(request));
  EXPECT_EQ(request.kind, HandshakeRequest::Kind::receive);
  EXPECT_EQ(request.from, remote.endpoint);
  EXPECT_TRUE(std::ranges::equal(request.message.view(), initiation));
}

// However many they are, forged messages take no slot.
TEST_F(HandshakeGateTest, NothingWithoutAValidMac1GetsIn) {
  for (std::size_t at = 4; at < initiation.size() - 16; ++at) {
    wg::Datagram forged = initiation;
    forged[at] ^= 0x20U;
    EXPECT_EQ(pass(forged), Drop::bad_mac1) << at;
  }
  wg::Datagram response(wg_response_size, 7);
  std::fill_n(response.begin(), 4, std::uint8_t{0});
  response[0] = 2;
  EXPECT_EQ(pass(response), Drop::bad_mac1);
  wg::Datagram cut = initiation;
  cut.pop_back();
  EXPECT_EQ(pass(cut), Drop::malformed);
  EXPECT_TRUE(channel.requests.empty());
}

TEST_F(HandshakeGateTest, NothingPassesWithoutAnIdentityOrForAnother) {
  gate.set_public_key(std::nullopt);
  EXPECT_EQ(pass(initiation), Drop::bad_handshake);
  gate.set_public_key(remote.public_key);
  EXPECT_EQ(pass(initiation), Drop::bad_mac1);
  EXPECT_TRUE(channel.requests.empty());
}

// Half of the ring is for messages that carry a cookie's mac, and for answers; the last slots are
// for our own wishes.
TEST_F(HandshakeGateTest, AFloodWithoutCookiesFillsHalfTheRing) {
  fill(HandshakeGate::for_unproven - 1);
  EXPECT_EQ(pass(initiation), std::nullopt);
  EXPECT_EQ(pass(initiation), Drop::queue_full);
  EXPECT_EQ(pass(with_mac2), std::nullopt);
  wg::Datagram cookie_reply(wg_cookie_reply_size, 0);
  cookie_reply[0] = 3;
  EXPECT_EQ(pass(cookie_reply), std::nullopt);
  fill(HandshakeChannel::request_capacity - HandshakeGate::reserved_for_wishes);
  EXPECT_EQ(pass(with_mac2), Drop::queue_full);
  EXPECT_EQ(pass(cookie_reply), Drop::queue_full);
  EXPECT_TRUE(channel.requests.push(HandshakeRequest{})) << "a wish";
}

// A ring that is full for strangers still has room for a known address.
TEST_F(HandshakeGateTest, AKnownAddressFindsRoomBesideAFloodOfStrangers) {
  train.source = remote.endpoint;
  fill(HandshakeGate::for_unproven);
  EXPECT_EQ(pass(initiation), Drop::queue_full);
  gate.remember(remote.endpoint);
  EXPECT_EQ(pass(initiation), std::nullopt);
  train.source = *Endpoint::parse("192.0.2.3:1002");
  EXPECT_EQ(pass(initiation), Drop::queue_full) << "another address";
  train.source = *Endpoint::parse("192.0.2.2:1003");
  EXPECT_EQ(pass(initiation), std::nullopt) << "another port, as a NAT may give";
  fill(HandshakeGate::for_known_address);
  EXPECT_EQ(pass(initiation), Drop::queue_full);
  train.source = remote.endpoint;
  EXPECT_EQ(pass(initiation), std::nullopt) << "its address is flooded, its port is not";
  fill(HandshakeGate::for_known);
  EXPECT_EQ(pass(initiation), Drop::queue_full) << "a known one can be forged, too";
  EXPECT_EQ(pass(with_mac2), std::nullopt);
}

}  // namespace
}  // namespace tw::lane
