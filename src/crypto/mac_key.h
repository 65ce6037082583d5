// A key for keyed BLAKE2s that is used again and again. blake2s_mac() sets up a context for each
// call, which allocates; here that is paid once.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "base/bytes.h"
#include "crypto/secret.h"

struct evp_mac_ctx_st;  // OpenSSL's EVP_MAC_CTX

namespace tw::crypto {

using Mac = std::array<std::uint8_t, 16>;

/// May be moved, not copied; a key that was moved from can only be assigned to or destroyed. One
/// thread at a time.
class MacKey {
 public:
  explicit MacKey(const SymmetricKey& key) noexcept;

  /// Returns blake2s_mac() of this key and the parts, one after the other. Never allocates; under a
  /// microsecond for a few hundred bytes.
  Mac of(std::initializer_list<ByteView> parts) const noexcept;

 private:
  struct FreeContext {
    void operator()(evp_mac_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_mac_ctx_st, FreeContext> context_;  // OpenSSL wipes the key in it
};

}  // namespace tw::crypto
