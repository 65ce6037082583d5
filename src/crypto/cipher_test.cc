#include <gtest/gtest.h>

#include <string>

#include "crypto/primitives.h"
#include "crypto/test_vectors.h"

namespace tw::crypto {
namespace {

using Bytes = std::vector<std::uint8_t>;

const SymmetricKey rfc_key{
    array_from_hex<32>("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")};
constexpr std::uint64_t rfc_counter = 0x0807060504030201;
const Bytes rfc_aad = from_hex("f33388860000000000004e91");
constexpr std::string_view rfc_text =
    "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, "
    "replaced, or obsoleted by other documents at any time. It is inappropriate to use "
    "Internet-Drafts as reference material or to cite them other than as "
    "/\xe2\x80\x9cwork in progress./\xe2\x80\x9d";

Bytes sealed_rfc_text() {
  Bytes sealed(rfc_text.size() + 16);
  seal(rfc_key, rfc_counter, as_bytes(rfc_text), rfc_aad, sealed);
  return sealed;
}

// The tag covers the whole ciphertext, so its ends are enough to compare beside it.
TEST(ChaCha20Poly1305, Rfc8439AppendixA5) {
  const Bytes sealed = sealed_rfc_text();
  ASSERT_EQ(sealed.size(), 265U + 16U);
  EXPECT_EQ(Bytes(sealed.begin(), sealed.begin() + 16),
            from_hex("64a0861575861af460f062c79be643bd"));
  EXPECT_EQ(Bytes(sealed.end() - 16, sealed.end()), from_hex("eead9d67890cbb22392336fea1851f38"));
  Bytes opened(rfc_text.size());
  ASSERT_TRUE(open(rfc_key, rfc_counter, sealed, rfc_aad, opened));
  EXPECT_EQ(as_text(opened), rfc_text);
}

TEST(ChaCha20Poly1305, RefusesEveryFlippedByte) {
  const Bytes good = sealed_rfc_text();
  Bytes opened(rfc_text.size());
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes sealed = good;
    sealed[at] ^= 0x10U;
    EXPECT_FALSE(open(rfc_key, rfc_counter, sealed, rfc_aad, opened)) << at;
  }
  EXPECT_FALSE(open(rfc_key, rfc_counter + 1, good, rfc_aad, opened));
  EXPECT_FALSE(open(rfc_key, rfc_counter, good, {}, opened));
  EXPECT_FALSE(open(SymmetricKey{}, rfc_counter, good, rfc_aad, opened));
  EXPECT_FALSE(open(rfc_key, rfc_counter, ByteView{good}.first(15), rfc_aad, {}));
}

TEST(ChaCha20Poly1305, SealsNothingAndInPlace) {
  Bytes tag(16);
  seal(rfc_key, 7, {}, rfc_aad, tag);
  EXPECT_TRUE(open(rfc_key, 7, tag, rfc_aad, {}));
  tag[0] ^= 1U;
  EXPECT_FALSE(open(rfc_key, 7, tag, rfc_aad, {}));

  Bytes text(rfc_text.size() + 16);
  std::copy(rfc_text.begin(), rfc_text.end(), text.begin());
  seal(rfc_key, rfc_counter, ByteView{text}.first(rfc_text.size()), rfc_aad, text);
  EXPECT_EQ(text, sealed_rfc_text());
}

const SymmetricKey draft_key{
    array_from_hex<32>("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")};
const XNonce draft_nonce = array_from_hex<24>("404142434445464748494a4b4c4d4e4f5051525354555657");
const Bytes draft_aad = from_hex("50515253c0c1c2c3c4c5c6c7");
constexpr std::string_view draft_text =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";

TEST(XChaCha20Poly1305, DraftAppendixA3) {
  Bytes sealed(draft_text.size() + 16);
  xseal(draft_key, draft_nonce, as_bytes(draft_text), draft_aad, sealed);
  EXPECT_EQ(Bytes(sealed.begin(), sealed.begin() + 16),
            from_hex("bd6d179d3e83d43b9576579493c0e939"));
  EXPECT_EQ(Bytes(sealed.end() - 16, sealed.end()), from_hex("c0875924c1c7987947deafd8780acf49"));
  Bytes opened(draft_text.size());
  ASSERT_TRUE(xopen(draft_key, draft_nonce, sealed, draft_aad, opened));
  EXPECT_EQ(as_text(opened), draft_text);
}

TEST(XChaCha20Poly1305, RefusesWhatWasTamperedWith) {
  Bytes good(draft_text.size() + 16);
  xseal(draft_key, draft_nonce, as_bytes(draft_text), draft_aad, good);
  Bytes opened(draft_text.size());
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes sealed = good;
    sealed[at] ^= 0x01U;
    EXPECT_FALSE(xopen(draft_key, draft_nonce, sealed, draft_aad, opened)) << at;
  }
  XNonce other_nonce = draft_nonce;
  other_nonce[0] ^= 1U;
  EXPECT_FALSE(xopen(draft_key, other_nonce, good, draft_aad, opened));
  EXPECT_FALSE(xopen(draft_key, draft_nonce, good, {}, opened));
  EXPECT_FALSE(xopen(draft_key, draft_nonce, ByteView{good}.first(15), draft_aad, {}));
}

}  // namespace
}  // namespace tw::crypto
