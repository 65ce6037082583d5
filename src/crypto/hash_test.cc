#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "crypto/primitives.h"
#include "crypto/test_vectors.h"

namespace tw::crypto {
namespace {

TEST(Blake2s, Rfc7693AppendixB) {
  const Hash expected =
      array_from_hex<32>("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
  EXPECT_EQ(blake2s({as_bytes("abc")}), expected);
  EXPECT_EQ(blake2s({as_bytes("a"), {}, as_bytes("bc")}), expected);
}

// The initial chaining key and hash of every WireGuard handshake, as its implementations have them.
TEST(Blake2s, WireGuardConstants) {
  const Hash chaining_key = blake2s({as_bytes("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")});
  EXPECT_EQ(chaining_key,
            array_from_hex<32>("60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36"));
  EXPECT_EQ(blake2s({chaining_key, as_bytes("WireGuard v1 zx2c4 Jason@zx2c4.com")}),
            array_from_hex<32>("2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3"));
}

std::array<std::uint8_t, 32> counting_key() {
  std::array<std::uint8_t, 32> key{};
  for (std::size_t at = 0; at < key.size(); ++at) key[at] = static_cast<std::uint8_t>(at);
  return key;
}

// Expected values of both key lengths from the reference implementation in Python's hashlib.
TEST(Blake2sMac, TakesKeysOf16And32Bytes) {
  const auto key = counting_key();
  EXPECT_EQ(blake2s_mac(key, as_bytes("the quick brown fox")),
            array_from_hex<16>("5d30b6ca5ff5a49390056d59856eaed2"));
  EXPECT_EQ(blake2s_mac(ByteView{key}.first(16), as_bytes("the quick brown fox")),
            array_from_hex<16>("ca1311b623800b03f67eac397850e5c2"));
}

Hash hmac_of_openssl(ByteView key, ByteView message) {
  Hash result{};
  std::size_t length = 0;
  EXPECT_NE(EVP_Q_mac(nullptr, "HMAC", nullptr, "BLAKE2S-256", nullptr, key.data(), key.size(),
                      message.data(), message.size(), result.data(), result.size(), &length),
            nullptr);
  EXPECT_EQ(length, result.size());
  return result;
}

TEST(HmacBlake2s, AgreesWithOpenssl) {
  const auto bytes = counting_key();
  for (std::size_t key_size = 1; key_size <= 32; ++key_size) {
    for (const std::size_t size : {0U, 1U, 31U, 32U}) {
      const ByteView key = ByteView{bytes}.first(key_size);
      const ByteView message = ByteView{bytes}.last(size);
      EXPECT_TRUE(hmac_blake2s(key, {message}) == Secret<32>{hmac_of_openssl(key, message)});
    }
  }
}

TEST(HmacBlake2s, KnownAnswer) {
  EXPECT_TRUE(hmac_blake2s(counting_key(), {as_bytes("the quick "), as_bytes("brown fox")}) ==
              Secret<32>{array_from_hex<32>(
                  "a954d40f0c17d52e86738061a20a0db1e20f20afe34f62b406f3a5df08c82447")});
}

}  // namespace
}  // namespace tw::crypto
