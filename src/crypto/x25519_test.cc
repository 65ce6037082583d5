#include <gtest/gtest.h>

#include "crypto/primitives.h"
#include "crypto/test_vectors.h"
#include "crypto/x25519_key.h"

namespace tw::crypto {
namespace {

PrivateKey scalar(std::string_view text) { return PrivateKey{array_from_hex<32>(text)}; }
PublicKey point(std::string_view text) { return PublicKey{array_from_hex<32>(text)}; }

TEST(X25519, Rfc7748Section5) {
  Secret<32> shared;
  ASSERT_TRUE(x25519(scalar("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                     point("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
                     shared));
  EXPECT_TRUE(shared == scalar("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
  ASSERT_TRUE(x25519(scalar("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
                     point("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
                     shared));
  EXPECT_TRUE(shared == scalar("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"));
}

TEST(X25519, Rfc7748ThousandIterations) {
  PrivateKey key = scalar("0900000000000000000000000000000000000000000000000000000000000000");
  PublicKey u = point("0900000000000000000000000000000000000000000000000000000000000000");
  for (int round = 0; round < 1000; ++round) {
    Secret<32> shared;
    ASSERT_TRUE(x25519(key, u, shared));
    std::copy(key.view().begin(), key.view().end(), u.bytes.begin());
    key = shared;
  }
  EXPECT_TRUE(key == scalar("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

TEST(X25519, Rfc7748Section6) {
  const PrivateKey alice =
      scalar("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const PrivateKey bob = scalar("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  EXPECT_EQ(public_key_of(alice),
            point("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
  EXPECT_EQ(public_key_of(bob),
            point("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
  Secret<32> by_alice;
  Secret<32> by_bob;
  ASSERT_TRUE(x25519(alice, public_key_of(bob), by_alice));
  ASSERT_TRUE(x25519(bob, public_key_of(alice), by_bob));
  EXPECT_TRUE(by_alice ==
              scalar("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
  EXPECT_TRUE(by_alice == by_bob);
}

// Points of small order, and their encodings above the field's prime: whatever the scalar, the
// result would be zero, and a handshake with it would have no secret.
TEST(X25519, RefusesLowOrderPoints) {
  const PrivateKey key = generate_private_key();
  for (const std::string_view low :
       {"0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    Secret<32> shared = key;
    EXPECT_FALSE(x25519(key, point(low), shared)) << low;
    EXPECT_TRUE(shared.is_zero()) << low;
  }
}

TEST(X25519Key, DerivesAsTheOneShotDoes) {
  const PrivateKey scalar = generate_private_key();
  X25519Key key{scalar};
  EXPECT_EQ(key.public_key(), public_key_of(scalar));
  for (int round = 0; round < 3; ++round) {
    const PublicKey other = public_key_of(generate_private_key());
    Secret<32> by_key;
    Secret<32> by_call;
    ASSERT_TRUE(key.derive(other, by_key));
    ASSERT_TRUE(x25519(scalar, other, by_call));
    EXPECT_TRUE(by_key == by_call);
  }
  const X25519Key moved = std::move(key);
  Secret<32> shared;
  EXPECT_TRUE(moved.derive(public_key_of(generate_private_key()), shared));
  EXPECT_EQ(moved.public_key(), public_key_of(scalar));
}

// A point that an attacker sent once must not stay in the key.
TEST(X25519Key, GoesOnAfterALowOrderPoint) {
  const X25519Key alice{scalar("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")};
  Secret<32> shared = generate_private_key();
  EXPECT_FALSE(alice.derive(PublicKey{}, shared));
  EXPECT_TRUE(shared.is_zero());
  ASSERT_TRUE(alice.derive(
      point("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"), shared));
  EXPECT_TRUE(shared == scalar("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
}

TEST(PrivateKeys, AreClampedAndFresh) {
  const PrivateKey ones = scalar(std::string(64, 'f'));
  EXPECT_TRUE(clamped(ones) ==
              scalar("f8ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"));
  EXPECT_TRUE(clamped(PrivateKey{}) ==
              scalar("0000000000000000000000000000000000000000000000000000000000000040"));
  EXPECT_EQ(public_key_of(ones), public_key_of(clamped(ones)));
  const PrivateKey key = generate_private_key();
  EXPECT_TRUE(key == clamped(key));
  EXPECT_FALSE(key == generate_private_key());
}

}  // namespace
}  // namespace tw::crypto
