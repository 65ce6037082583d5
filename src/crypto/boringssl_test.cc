#include "crypto/boringssl.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>

#include "base/bytes.h"

namespace tw::crypto {
namespace {

TEST(Boringssl, IsRefusedWhereThereIsNone) {
  const Result<Boringssl> loaded = load_boringssl("/nonexistent/libcrypto.so.0");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().kind, Error::Kind::unavailable);
  EXPECT_TRUE(loaded.error().detail.starts_with("no BoringSSL: /nonexistent/libcrypto.so.0: "))
      << loaded.error().detail;
}

// OpenSSL's libcrypto is loaded already, and lacks the interface.
TEST(Boringssl, IsNoOpenssl) {
  const Result<Boringssl> loaded = load_boringssl("libcrypto.so.3");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().detail,
            "libcrypto.so.3 has no EVP_aead_chacha20_poly1305: it is no BoringSSL");
}

TEST(Boringssl, IsLoadedOnce) { EXPECT_EQ(&boringssl(), &boringssl()); }

// Both libraries define EVP_sha256 and EVP_Digest with another meaning of their types. OpenSSL must
// go on calling its own.
TEST(Boringssl, LeavesOpensslAlone) {
  if (!boringssl()) GTEST_SKIP() << boringssl().error().text();
  std::array<std::uint8_t, 32> digest{};
  unsigned size = 0;
  const ByteView text = as_bytes("abc");
  ASSERT_EQ(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr), 1);
  EXPECT_EQ(size, digest.size());
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[31], 0xad);
}

}  // namespace
}  // namespace tw::crypto
