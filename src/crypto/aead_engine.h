// ChaCha20-Poly1305 for the data path, in batches: jobs go in with submit(), each with a key of its
// own, so that one batch spans peers; complete() says when they are done. OpenSSL does them one by
// one inside submit(); an engine that fills vector lanes across jobs fits the same seam.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "crypto/secret.h"

namespace tw::crypto {

/// One packet, in place: nonce 0^32 ‖ LE64(counter), no additional data (WireGuard, section 5.4.6).
struct AeadJob {
  const SymmetricKey* key = nullptr;  ///< must live until the job is complete
  std::uint64_t counter = 0;
  std::uint8_t* text = nullptr;  ///< plaintext or ciphertext; becomes the other
  std::uint32_t length = 0;      ///< of the text, without the tag
  bool authentic = false;        ///< set when complete; always true after sealing
  // The 16 bytes at text + length are the tag: written when sealing, verified when opening.
};

class AeadEngine {
 public:
  virtual ~AeadEngine() = default;
  virtual std::string_view name() const noexcept = 0;
  /// Takes all the jobs, which the caller keeps in place until complete() has returned.
  virtual void submit_seal(std::span<AeadJob> jobs) noexcept = 0;
  virtual void submit_open(std::span<AeadJob> jobs) noexcept = 0;
  /// Returns when everything submitted is done. A text that did not authenticate is unspecified.
  virtual void complete() noexcept = 0;
};

/// OpenSSL 3's EVP interface. One engine belongs to one context. Null only if OpenSSL lacks the
/// cipher (a FIPS-only build).
std::unique_ptr<AeadEngine> make_openssl_engine();

}  // namespace tw::crypto
