// OpenSSL's algorithms, each fetched once: EVP_*_fetch walks the providers under a lock and costs
// more than a hash. Only for the .cc files of crypto/.
#pragma once

#include <openssl/evp.h>

#include <memory>

namespace tw::crypto {

/// Deletes with the function that OpenSSL pairs with the type.
template <auto free_function>
struct Free {
  template <typename T>
  void operator()(T* object) const noexcept {
    free_function(object);
  }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Free<EVP_MAC_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

struct Algorithms {
  EVP_MD* blake2s = nullptr;
  EVP_MAC* blake2s_mac = nullptr;
  EVP_CIPHER* chacha20_poly1305 = nullptr;
};

/// Fetched at the first call, from any thread, and kept until the process ends. A null member is
/// an algorithm that this build of OpenSSL has not.
const Algorithms& algorithms() noexcept;

}  // namespace tw::crypto
