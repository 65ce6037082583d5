// A private key that takes part in several curve operations. OpenSSL's import of a private key and
// its preparation cost a tenth of an operation, each time x25519() is called. Here they are paid
// once, and the public half comes of the same import.
#pragma once

#include <memory>

#include "crypto/primitives.h"
#include "crypto/secret.h"

struct evp_pkey_ctx_st;  // OpenSSL's EVP_PKEY_CTX

namespace tw::crypto {

/// May be moved, not copied; a key that was moved from can only be assigned to or destroyed. Any
/// number of threads may use one key at once.
class X25519Key {
 public:
  /// Cost: one curve operation, for the public half.
  explicit X25519Key(const PrivateKey& scalar) noexcept;

  const PublicKey& public_key() const noexcept { return public_key_; }
  /// Computes x25519() of this scalar and `point`; false in the same case.
  [[nodiscard]] bool derive(const PublicKey& point, Secret<32>& shared) const noexcept;

 private:
  struct FreeContext {
    void operator()(evp_pkey_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_pkey_ctx_st, FreeContext> context_;  // OpenSSL wipes the scalar in it
  PublicKey public_key_;
};

}  // namespace tw::crypto
