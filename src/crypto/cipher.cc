#include "crypto/cipher.h"

#include <sodium.h>

#include <array>
#include <climits>

#include "base/assert.h"
#include "crypto/primitives.h"

namespace tw::crypto {
namespace {

constexpr int tag_size = 16;

/// Key, nonce and additional data: what both directions begin with.
void begin(EVP_CIPHER_CTX* context, Direction direction, const SymmetricKey& key,
           std::uint64_t counter, ByteView aad) noexcept {
  const PaddedNonce nonce = padded_nonce_of(counter);
  TW_ASSERT(EVP_CipherInit_ex2(context, nullptr, key.view().data(), nonce.data(),
                               direction == Direction::seal ? 1 : 0, nullptr) == 1);
  int written = 0;
  if (!aad.empty()) {
    TW_ASSERT(aad.size() <= INT_MAX);
    TW_ASSERT(EVP_CipherUpdate(context, nullptr, &written, aad.data(),
                               static_cast<int>(aad.size())) == 1);
  }
}

void update(EVP_CIPHER_CTX* context, ByteView text, std::uint8_t* out) noexcept {
  if (text.empty()) return;
  TW_ASSERT(text.size() <= INT_MAX);
  int written = 0;
  TW_ASSERT(EVP_CipherUpdate(context, out, &written, text.data(), static_cast<int>(text.size())) ==
            1);
  TW_ASSERT(written == static_cast<int>(text.size()));
}

}  // namespace

void ready_sodium() noexcept {
  static const bool ready = sodium_init() >= 0;
  TW_ASSERT(ready);
}

CipherContext make_cipher_context(Direction direction) noexcept {
  const EVP_CIPHER* cipher = algorithms().chacha20_poly1305;
  if (cipher == nullptr) return nullptr;
  CipherContext context{EVP_CIPHER_CTX_new()};
  TW_ASSERT(context != nullptr);
  TW_ASSERT(EVP_CipherInit_ex2(context.get(), cipher, nullptr, nullptr,
                               direction == Direction::seal ? 1 : 0, nullptr) == 1);
  return context;
}

void seal_on(EVP_CIPHER_CTX* context, const SymmetricKey& key, std::uint64_t counter, ByteView aad,
             ByteView text, std::uint8_t* out, std::uint8_t* tag) noexcept {
  begin(context, Direction::seal, key, counter, aad);
  update(context, text, out);
  std::array<std::uint8_t, tag_size> rest;
  int written = 0;
  TW_ASSERT(EVP_CipherFinal_ex(context, rest.data(), &written) == 1 && written == 0);
  TW_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_size, tag) == 1);
}

bool open_on(EVP_CIPHER_CTX* context, const SymmetricKey& key, std::uint64_t counter, ByteView aad,
             ByteView text, std::uint8_t* out, const std::uint8_t* tag) noexcept {
  begin(context, Direction::open, key, counter, aad);
  // The control only reads the tag when opening, but shares a signature with the one that writes.
  TW_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_size,
                                const_cast<std::uint8_t*>(tag)) == 1);
  update(context, text, out);
  std::array<std::uint8_t, tag_size> rest;
  int written = 0;
  return EVP_CipherFinal_ex(context, rest.data(), &written) == 1;
}

// A context for each call: handshakes only, and freeing it wipes the key.
void seal(const SymmetricKey& key, std::uint64_t counter, ByteView plaintext, ByteView aad,
          ByteSpan out) noexcept {
  TW_ASSERT(out.size() == plaintext.size() + tag_size);
  const CipherContext context = make_cipher_context(Direction::seal);
  TW_ASSERT(context != nullptr);
  seal_on(context.get(), key, counter, aad, plaintext, out.data(), out.data() + plaintext.size());
}

bool open(const SymmetricKey& key, std::uint64_t counter, ByteView sealed, ByteView aad,
          ByteSpan out) noexcept {
  if (sealed.size() < tag_size) return false;
  TW_ASSERT(out.size() == sealed.size() - tag_size);
  const CipherContext context = make_cipher_context(Direction::open);
  TW_ASSERT(context != nullptr);
  return open_on(context.get(), key, counter, aad, sealed.first(out.size()), out.data(),
                 sealed.data() + out.size());
}

void xseal(const SymmetricKey& key, const XNonce& nonce, ByteView plaintext, ByteView aad,
           ByteSpan out) noexcept {
  ready_sodium();
  TW_ASSERT(out.size() == plaintext.size() + tag_size);
  TW_ASSERT(crypto_aead_xchacha20poly1305_ietf_encrypt(
                out.data(), nullptr, plaintext.data(), plaintext.size(), aad.data(), aad.size(),
                nullptr, nonce.data(), key.view().data()) == 0);
}

bool xopen(const SymmetricKey& key, const XNonce& nonce, ByteView sealed, ByteView aad,
           ByteSpan out) noexcept {
  ready_sodium();
  if (sealed.size() < tag_size) return false;
  TW_ASSERT(out.size() == sealed.size() - tag_size);
  return crypto_aead_xchacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, sealed.data(),
                                                    sealed.size(), aad.data(), aad.size(),
                                                    nonce.data(), key.view().data()) == 0;
}

}  // namespace tw::crypto
