// The one-shot primitives that a handshake needs. Costs are per call; the data path uses
// aead_engine.h instead.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace tw::crypto {

using Hash = std::array<std::uint8_t, 32>;

/// RFC 7748. False if the result is all zero (a low-order point), which the caller must refuse.
[[nodiscard]] bool x25519(const PrivateKey& scalar, const PublicKey& point,
                          Secret<32>& shared) noexcept;
PublicKey public_key_of(const PrivateKey& key) noexcept;
/// A fresh clamped scalar.
PrivateKey generate_private_key() noexcept;
/// RFC 7748, section 5: what `wg` does to every private key it is given.
PrivateKey clamped(const PrivateKey& key) noexcept;

/// BLAKE2s-256 (RFC 7693) of the parts, one after the other.
Hash blake2s(std::initializer_list<ByteView> parts) noexcept;
/// Keyed BLAKE2s with 16 bytes of output: WireGuard's Mac(key, input). Key of 16 or 32 bytes.
std::array<std::uint8_t, 16> blake2s_mac(ByteView key, ByteView input) noexcept;
/// HMAC-BLAKE2s, as the key derivation uses it.
Secret<32> hmac_blake2s(ByteView key, std::initializer_list<ByteView> parts) noexcept;

/// ChaCha20-Poly1305 (RFC 8439) with the 96-bit nonce 0^32 ‖ LE64(counter). `out` has
/// plaintext.size() + 16 bytes and may begin where plaintext begins.
void seal(const SymmetricKey& key, std::uint64_t counter, ByteView plaintext, ByteView aad,
          ByteSpan out) noexcept;
/// False, and `out` of no use, unless the tag verifies. `out` has sealed.size() - 16 bytes.
[[nodiscard]] bool open(const SymmetricKey& key, std::uint64_t counter, ByteView sealed,
                        ByteView aad, ByteSpan out) noexcept;

using XNonce = std::array<std::uint8_t, 24>;
/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): cookie replies only.
void xseal(const SymmetricKey& key, const XNonce& nonce, ByteView plaintext, ByteView aad,
           ByteSpan out) noexcept;
[[nodiscard]] bool xopen(const SymmetricKey& key, const XNonce& nonce, ByteView sealed,
                         ByteView aad, ByteSpan out) noexcept;

}  // namespace tw::crypto
