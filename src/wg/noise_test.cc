#include "wg/noise.h"

#include <gtest/gtest.h>

#include "crypto/test_vectors.h"
#include "wg/test_peers.h"

namespace tw::wg {
namespace {

using crypto::Secret;
constexpr Instant now{100s};
constexpr WallTime wall{1'700'000'000s};
constexpr std::uint32_t initiator_index = 0x11223344, responder_index = 0x55667788;

Secret<32> counting_bytes(unsigned number) {
  Secret<32> bytes;
  for (std::uint8_t& byte : bytes.span()) byte = static_cast<std::uint8_t>(number++);
  return bytes;
}

// Both ends with fixed keys; each step may be spoilt before the next.
class NoiseTest : public testing::Test {
 protected:
  void create() {
    state = create_initiation(initiator, responder.public_key,
                              static_secret(initiator, responder.public_key).value(),
                              counting_key(101), Tai64n::of(wall), initiator_index, initiation);
    ASSERT_TRUE(state);
  }
  /// True if the responder believes the initiation.
  bool believed() {
    opened = open_initiation(responder, WgInitiationView::of(initiation).value());
    if (!opened || opened->claimed != initiator.public_key) return false;
    timestamp = authenticate_initiation(static_secret(responder, opened->claimed).value(),
                                        WgInitiationView::of(initiation).value(), opened->state);
    return timestamp.has_value();
  }
  void respond() {
    at_responder = create_response(opened->state, opened->claimed, preshared, counting_key(151),
                                   responder_index, now, response);
    ASSERT_TRUE(at_responder);
  }
  void consume() {
    at_initiator =
        consume_response(initiator, *state, preshared, WgResponseView::of(response).value(), now);
  }

  Identity initiator = Identity::of(counting_key(1));
  Identity responder = Identity::of(counting_key(51));
  crypto::PresharedKey preshared = counting_bytes(201);
  std::array<std::uint8_t, wg_initiation_size> initiation{};
  std::array<std::uint8_t, wg_response_size> response{};
  std::optional<HandshakeState> state;
  std::optional<OpenedInitiation> opened;
  std::optional<Tai64n> timestamp;
  std::optional<Keypair> at_initiator, at_responder;
};

TEST_F(NoiseTest, BothSidesEndWithTheSameKeys) {
  create();
  ASSERT_TRUE(believed());
  EXPECT_EQ(*timestamp, Tai64n::of(wall));
  respond();
  consume();
  ASSERT_TRUE(at_initiator);
  EXPECT_TRUE(at_initiator->send_key == at_responder->receive_key);
  EXPECT_TRUE(at_initiator->receive_key == at_responder->send_key);
  EXPECT_FALSE(at_initiator->send_key == at_initiator->receive_key);
  EXPECT_EQ(at_initiator->local_index, initiator_index);
  EXPECT_EQ(at_initiator->remote_index, responder_index);
  EXPECT_EQ(at_responder->local_index, responder_index);
  EXPECT_EQ(at_responder->remote_index, initiator_index);
  EXPECT_TRUE(at_initiator->is_initiator);
  EXPECT_FALSE(at_responder->is_initiator);
  EXPECT_EQ(at_initiator->created, now);
}

// From a separate implementation, in Python with hashlib and pyca/cryptography, of the same keys.
TEST_F(NoiseTest, KnownAnswer) {
  create();
  EXPECT_EQ(crypto::blake2s({ByteView{initiation}.first(116)}),
            crypto::array_from_hex<32>(
                "786c8d78b31c50dc9d2e282328bb635fffbb4ee7c22aa1e9067875caaf6e2d9d"));
  ASSERT_TRUE(believed());
  respond();
  EXPECT_EQ(Datagram(response.begin() + 44, response.begin() + 60),
            crypto::from_hex("031090a842eca880c18408ece48abf2a"));
  consume();
  ASSERT_TRUE(at_initiator);
  EXPECT_TRUE(at_initiator->send_key ==
              Secret<32>{crypto::array_from_hex<32>(
                  "7151a281787ad53e044f0b55c8b2d7dd97a81452ff0f71b64e078be7d59b527b")});
  EXPECT_TRUE(at_initiator->receive_key ==
              Secret<32>{crypto::array_from_hex<32>(
                  "d6ea422d4133eafd1ac8a633660b51770045272dde19884330cb01f149f94141")});
}

// Everything between the type and the macs is authenticated, except for the sender's index, which
// a man in the middle may change: the response then goes to an index that does not exist.
TEST_F(NoiseTest, RefusesEveryFlippedByteOfAnInitiation) {
  create();
  const auto good = initiation;
  for (std::size_t at = 8; at < 116; ++at) {
    initiation = good;
    initiation[at] ^= 0x20U;
    ASSERT_FALSE(believed()) << at;
  }
}

TEST_F(NoiseTest, RefusesEveryFlippedByteOfAResponse) {
  create();
  ASSERT_TRUE(believed());
  respond();
  const auto good = response;
  for (std::size_t at = 12; at < 60; ++at) {
    response = good;
    response[at] ^= 0x20U;
    consume();
    ASSERT_FALSE(at_initiator) << at;
  }
  response = good;
  consume();
  EXPECT_TRUE(at_initiator) << "what was refused has changed nothing";
}

TEST_F(NoiseTest, AnotherPresharedKeyFailsAtTheInitiator) {
  create();
  ASSERT_TRUE(believed());
  respond();
  preshared.span()[0] ^= 1U;
  consume();
  EXPECT_FALSE(at_initiator);
  preshared = {};
  consume();
  EXPECT_FALSE(at_initiator);
}

TEST_F(NoiseTest, AnotherReceiverCannotOpenTheInitiation) {
  create();
  responder = Identity::of(counting_key(52));
  EXPECT_FALSE(believed());
}

// Knowing both public keys is not enough to speak for the initiator.
TEST_F(NoiseTest, AnImpostorIsNotBelieved) {
  const Identity impostor = Identity::of(counting_key(77));
  const auto wrong_secret = static_secret(impostor, responder.public_key).value();
  ASSERT_TRUE(create_initiation(initiator, responder.public_key, wrong_secret, counting_key(101),
                                Tai64n::of(wall), initiator_index, initiation));
  EXPECT_FALSE(believed());
  EXPECT_TRUE(opened && opened->claimed == initiator.public_key) << "the claim alone can be made";
}

TEST_F(NoiseTest, AResponseToAnotherInitiationIsRefused) {
  create();
  ASSERT_TRUE(believed());
  respond();
  state = create_initiation(initiator, responder.public_key,
                            static_secret(initiator, responder.public_key).value(),
                            counting_key(102), Tai64n::of(wall), initiator_index, initiation);
  consume();
  EXPECT_FALSE(at_initiator);
}

TEST_F(NoiseTest, LowOrderPointsAreRefusedEverywhere) {
  const crypto::PublicKey zero{};
  EXPECT_FALSE(static_secret(initiator, zero));
  EXPECT_FALSE(
      create_initiation(initiator, zero, {}, counting_key(101), Tai64n::of(wall), 1, initiation));
  create();
  std::fill_n(initiation.begin() + 8, 32, std::uint8_t{0});
  EXPECT_FALSE(believed());

  create();
  ASSERT_TRUE(believed());
  respond();
  std::fill_n(response.begin() + 12, 32, std::uint8_t{0});
  consume();
  EXPECT_FALSE(at_initiator);
  EXPECT_FALSE(
      create_response(opened->state, zero, preshared, counting_key(151), 1, now, response));
  opened->state.remote_ephemeral = zero;
  EXPECT_FALSE(create_response(opened->state, initiator.public_key, preshared, counting_key(151), 1,
                               now, response));
}

}  // namespace
}  // namespace tw::wg
