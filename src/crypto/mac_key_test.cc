#include "crypto/mac_key.h"

#include <gtest/gtest.h>

#include <utility>

#include "crypto/primitives.h"

namespace tw::crypto {
namespace {

TEST(MacKey, AgreesWithTheOneShotCallEveryTime) {
  SymmetricKey secret;
  for (std::size_t at = 0; at < 32; ++at) secret.span()[at] = static_cast<std::uint8_t>(at);
  MacKey key{secret};
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(key.of({as_bytes("the quick brown fox")}),
              blake2s_mac(secret.view(), as_bytes("the quick brown fox")));
    EXPECT_EQ(key.of({as_bytes("the quick"), {}, as_bytes(" brown fox")}),
              blake2s_mac(secret.view(), as_bytes("the quick brown fox")));
    EXPECT_EQ(key.of({}), blake2s_mac(secret.view(), {}));
  }
  const MacKey moved = std::move(key);
  EXPECT_EQ(moved.of({as_bytes("x")}), blake2s_mac(secret.view(), as_bytes("x")));
}

TEST(MacKey, OfTwoKeysIsDifferent) {
  SymmetricKey one, other;
  other.span()[31] = 1;
  EXPECT_NE(MacKey{one}.of({as_bytes("x")}), MacKey{other}.of({as_bytes("x")}));
}

}  // namespace
}  // namespace tw::crypto
