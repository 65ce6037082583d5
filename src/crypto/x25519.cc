// X25519 (RFC 7748) of primitives.h and x25519_key.h.

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/assert.h"
#include "crypto/algorithms.h"
#include "crypto/primitives.h"
#include "crypto/x25519_key.h"

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

Key with_public(const PrivateKey& scalar) noexcept {
  Key key{EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, scalar.view().data(),
                                       scalar.view().size())};
  TW_ASSERT(key != nullptr);
  return key;
}

PublicKey public_half(EVP_PKEY* key) noexcept {
  PublicKey result;
  std::size_t length = result.bytes.size();
  TW_ASSERT(EVP_PKEY_get_raw_public_key(key, result.bytes.data(), &length) > 0);
  TW_ASSERT(length == result.bytes.size());
  return result;
}

/// A context that holds the key and is ready for derivations with it.
KeyContext derivation_with(EVP_PKEY* key) noexcept {
  KeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr)};
  TW_ASSERT(context != nullptr && EVP_PKEY_derive_init(context.get()) > 0);
  return context;
}

/// The context keeps `point` as its peer.
bool derive_on(EVP_PKEY_CTX* context, const PublicKey& point, Secret<32>& shared) noexcept {
  const Key other{EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, point.bytes.data(),
                                              point.bytes.size())};
  // Without validation: it would only compare the types, and cost another import.
  TW_ASSERT(other != nullptr && EVP_PKEY_derive_set_peer_ex(context, other.get(), 0) > 0);
  std::size_t length = shared.span().size();
  // The one failure that outside bytes can cause: a result of all zero, from a low-order point.
  if (EVP_PKEY_derive(context, shared.span().data(), &length) <= 0) {
    ERR_clear_error();
    wipe(shared.span());
    return false;
  }
  TW_ASSERT(length == shared.span().size());
  return !shared.is_zero();
}

}  // namespace

bool x25519(const PrivateKey& scalar, const PublicKey& point, Secret<32>& shared) noexcept {
  return derive_on(derivation_with(private_only(scalar).get()).get(), point, shared);
}

PublicKey public_key_of(const PrivateKey& key) noexcept {
  return public_half(with_public(key).get());
}

X25519Key::X25519Key(const PrivateKey& scalar) noexcept {
  const Key key = with_public(scalar);
  context_.reset(derivation_with(key.get()).release());
  public_key_ = public_half(key.get());
}

// On a copy of the context, which costs 0.1 us: the key stays as it was, for other threads too.
bool X25519Key::derive(const PublicKey& point, Secret<32>& shared) const noexcept {
  TW_ASSERT(context_ != nullptr);
  const KeyContext context{EVP_PKEY_CTX_dup(context_.get())};
  TW_ASSERT(context != nullptr);
  return derive_on(context.get(), point, shared);
}

void X25519Key::FreeContext::operator()(evp_pkey_ctx_st* context) const noexcept {
  EVP_PKEY_CTX_free(context);
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
