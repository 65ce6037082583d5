// The steps of ChaCha20-Poly1305 on an EVP context, shared by the one-shot calls of primitives.h
// and the engine of the data path. Only for the .cc files of crypto/.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "crypto/algorithms.h"
#include "crypto/secret.h"

namespace tw::crypto {

enum class Direction : std::uint8_t { open, seal };

/// A context for one direction; setting a key later allocates nothing. Null if OpenSSL lacks the
/// cipher.
CipherContext make_cipher_context(Direction direction) noexcept;

/// Encrypts `length` bytes from `text` to `out`, which may be the same; `tag` gets 16 bytes.
void seal_on(EVP_CIPHER_CTX* context, const SymmetricKey& key, std::uint64_t counter, ByteView aad,
             ByteView text, std::uint8_t* out, std::uint8_t* tag) noexcept;
/// The reverse; false, and `out` of no use, unless the 16 bytes at `tag` verify.
bool open_on(EVP_CIPHER_CTX* context, const SymmetricKey& key, std::uint64_t counter, ByteView aad,
             ByteView text, std::uint8_t* out, const std::uint8_t* tag) noexcept;

}  // namespace tw::crypto
