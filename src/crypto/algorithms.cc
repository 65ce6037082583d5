#include "crypto/algorithms.h"

namespace tw::crypto {

const Algorithms& algorithms() noexcept {
  // Never freed: other objects with static storage may still use them on the way out.
  static const Algorithms fetched{
      .blake2s = EVP_MD_fetch(nullptr, "BLAKE2S-256", nullptr),
      .blake2s_mac = EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr),
      .chacha20_poly1305 = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr),
  };
  return fetched;
}

}  // namespace tw::crypto
