// BLAKE2s, its keyed form and HMAC of primitives.h.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/assert.h"
#include "crypto/algorithms.h"
#include "crypto/primitives.h"

namespace tw::crypto {
namespace {

constexpr std::size_t block_size = 64;  // RFC 7693, table 2

/// HASH(first ‖ rest). OpenSSL wipes the context's state when the digest is final.
void digest(ByteView first, std::initializer_list<ByteView> rest,
            std::span<std::uint8_t, 32> out) noexcept {
  const DigestContext context{EVP_MD_CTX_new()};
  TW_ASSERT(context != nullptr);
  TW_ASSERT(EVP_DigestInit_ex2(context.get(), algorithms().blake2s, nullptr) == 1);
  TW_ASSERT(EVP_DigestUpdate(context.get(), first.data(), first.size()) == 1);
  for (const ByteView part : rest) {
    TW_ASSERT(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  TW_ASSERT(EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1);
}

}  // namespace

Hash blake2s(std::initializer_list<ByteView> parts) noexcept {
  Hash result;
  digest({}, parts, result);
  return result;
}

std::array<std::uint8_t, 16> blake2s_mac(ByteView key, ByteView input) noexcept {
  TW_ASSERT(key.size() == 16 || key.size() == 32);
  std::array<std::uint8_t, 16> mac;
  std::size_t size = mac.size();
  const std::array parameters{OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                              OSSL_PARAM_construct_end()};
  // A context of its own for each call: freeing it wipes the key.
  const MacContext context{EVP_MAC_CTX_new(algorithms().blake2s_mac)};
  TW_ASSERT(context != nullptr);
  TW_ASSERT(EVP_MAC_init(context.get(), key.data(), key.size(), parameters.data()) == 1);
  TW_ASSERT(EVP_MAC_update(context.get(), input.data(), input.size()) == 1);
  std::size_t length = 0;
  TW_ASSERT(EVP_MAC_final(context.get(), mac.data(), &length, mac.size()) == 1);
  TW_ASSERT(length == mac.size());
  return mac;
}

// RFC 2104 by hand: EVP's HMAC looks its digest up by name at every call and keeps the key.
Secret<32> hmac_blake2s(ByteView key, std::initializer_list<ByteView> parts) noexcept {
  TW_ASSERT(key.size() <= block_size);
  Secret<block_size> pad;
  for (std::size_t at = 0; at < block_size; ++at) {
    pad.span()[at] = static_cast<std::uint8_t>((at < key.size() ? key[at] : 0U) ^ 0x36U);
  }
  Secret<32> inner;
  digest(pad.view(), parts, inner.span());
  for (std::uint8_t& byte : pad.span()) byte ^= 0x36U ^ 0x5cU;
  Secret<32> outer;
  digest(pad.view(), {inner.view()}, outer.span());
  return outer;
}

}  // namespace tw::crypto
