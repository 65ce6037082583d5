// The steps of ChaCha20-Poly1305 on an EVP context, shared by the one-shot calls of primitives.h
// and the engines of the data path. Only for the .cc files of crypto/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "crypto/algorithms.h"
#include "crypto/secret.h"

namespace tw::crypto {

/// The nonce is the first 12 bytes; the rest are zeros that vector loads may read.
using PaddedNonce = std::array<std::uint8_t, 16>;

/// 0^32 ‖ LE64(counter): RFC 8439's nonce as WireGuard uses it (section 5.4.6).
inline PaddedNonce padded_nonce_of(std::uint64_t counter) noexcept {
  PaddedNonce nonce{};
  for (std::size_t at = 0; at < 8; ++at) {
    nonce[4 + at] = static_cast<std::uint8_t>(counter >> (8 * at));
  }
  return nonce;
}

/// Lets libsodium pick its implementations for this CPU, once; from any thread.
void ready_sodium() noexcept;

enum class Direction : std::uint8_t { open, seal };

/// A context for one direction; setting a key later allocates nothing. Null if OpenSSL lacks the
/// cipher.
CipherContext make_cipher_context(Direction direction) noexcept;

/// Encrypts `text` to `out`, which may be the same; `tag` gets 16 bytes.
void seal_on(EVP_CIPHER_CTX* context, const SymmetricKey& key, std::uint64_t counter, ByteView aad,
             ByteView text, std::uint8_t* out, std::uint8_t* tag) noexcept;
/// The reverse; false, and `out` of no use, unless the 16 bytes at `tag` verify.
bool open_on(EVP_CIPHER_CTX* context, const SymmetricKey& key, std::uint64_t counter, ByteView aad,
             ByteView text, std::uint8_t* out, const std::uint8_t* tag) noexcept;

}  // namespace tw::crypto
