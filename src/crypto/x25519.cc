// X25519 (RFC 7748) of primitives.h.

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/assert.h"
#include "crypto/algorithms.h"
#include "crypto/primitives.h"

namespace tw::crypto {
namespace {

/// An EVP_PKEY with only a private half. EVP_PKEY_new_raw_private_key would compute the public half
/// as well, which doubles the price of a derivation and is never read by it: so the key is imported
/// with zeros in that place.
Key private_only(const PrivateKey& scalar) noexcept {
  std::array<std::uint8_t, 32> no_public{};
  Secret<32> copy = scalar;  // OSSL_PARAM takes no const
  const std::array parameters{
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, no_public.data(), 32),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, copy.span().data(), 32),
      OSSL_PARAM_construct_end()};
  const KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr)};
  TW_ASSERT(context != nullptr && EVP_PKEY_fromdata_init(context.get()) > 0);
  EVP_PKEY* key = nullptr;
  TW_ASSERT(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR,
                              const_cast<OSSL_PARAM*>(parameters.data())) > 0);
  return Key{key};
}

}  // namespace

bool x25519(const PrivateKey& scalar, const PublicKey& point, Secret<32>& shared) noexcept {
  const Key own = private_only(scalar);
  const Key other{EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, point.bytes.data(),
                                              point.bytes.size())};
  const KeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr)};
  TW_ASSERT(other != nullptr && context != nullptr && EVP_PKEY_derive_init(context.get()) > 0);
  // Without validation: it would only compare the types, and cost another import.
  TW_ASSERT(EVP_PKEY_derive_set_peer_ex(context.get(), other.get(), 0) > 0);
  std::size_t length = shared.span().size();
  // The one failure that outside bytes can cause: a result of all zero, from a low-order point.
  if (EVP_PKEY_derive(context.get(), shared.span().data(), &length) <= 0) {
    ERR_clear_error();
    wipe(shared.span());
    return false;
  }
  TW_ASSERT(length == shared.span().size());
  return !shared.is_zero();
}

PublicKey public_key_of(const PrivateKey& key) noexcept {
  PublicKey result;
  const Key own{
      EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, key.view().data(), key.view().size())};
  std::size_t length = result.bytes.size();
  TW_ASSERT(own != nullptr);
  TW_ASSERT(EVP_PKEY_get_raw_public_key(own.get(), result.bytes.data(), &length) > 0);
  TW_ASSERT(length == result.bytes.size());
  return result;
}

PrivateKey clamped(const PrivateKey& key) noexcept {
  PrivateKey result = key;
  result.span()[0] &= 0xf8U;
  result.span()[31] = static_cast<std::uint8_t>((result.span()[31] & 0x7fU) | 0x40U);
  return result;
}

PrivateKey generate_private_key() noexcept {
  PrivateKey key;
  random_bytes(key.span());
  return clamped(key);
}

}  // namespace tw::crypto
