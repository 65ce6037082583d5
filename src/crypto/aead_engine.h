// ChaCha20-Poly1305 for the data path, in batches: jobs go in with submit(), each with a key of its
// own, so that one batch spans peers; complete() says when they are done. Which engine a machine
// should use is measured at the start (aead_choice.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "crypto/secret.h"

namespace tw::crypto {

/// One packet, in place: nonce 0^32 ‖ LE64(counter), no additional data (WireGuard, section 5.4.6).
struct AeadJob {
  const SymmetricKey* key = nullptr;  ///< must live, unchanged, until the job is complete
  std::uint64_t counter = 0;
  std::uint8_t* text = nullptr;  ///< plaintext or ciphertext; becomes the other
  std::uint32_t length = 0;      ///< of the text, without the tag; 0 is a keepalive
  bool authentic = false;        ///< set when complete; always true after sealing
  // The 16 bytes at text + length are the tag: written when sealing, verified when opening.
};

/// One engine belongs to one context; several live side by side. It keeps copies of key material
/// only in memory that it wipes when it goes.
class AeadEngine {
 public:
  virtual ~AeadEngine() = default;
  virtual std::string_view name() const noexcept = 0;  ///< literal: outlives the engine
  /// Takes all the jobs, of any number and mixed lengths and keys, which the caller keeps in place
  /// until complete() has returned. Nothing but text, tag and `authentic` is written.
  virtual void submit_seal(std::span<AeadJob> jobs) noexcept = 0;
  virtual void submit_open(std::span<AeadJob> jobs) noexcept = 0;
  /// Returns when everything submitted is done, each result in the job that asked for it. A text
  /// that did not authenticate has been zeroed: nobody can deliver it by mistake. Tags are compared
  /// in constant time.
  virtual void complete() noexcept = 0;
};

/// OpenSSL 3's EVP interface, a job at a time. Null only if OpenSSL lacks the cipher (a FIPS-only
/// build).
std::unique_ptr<AeadEngine> make_openssl_engine();

/// Intel's libipsec-mb, on CPUs with AVX-512. The error says why this machine or this build of the
/// library cannot be used. 200 KB an engine.
Result<std::unique_ptr<AeadEngine>> make_ipsec_mb_engine();

/// BoringSSL's AEAD interface, a job at a time: ChaCha20 and Poly1305 in one pass over the text, in
/// assembly for AVX2, SSE4.1 and arm64. The error says why it is not here: it is looked for once.
Result<std::unique_ptr<AeadEngine>> make_boringssl_engine();

}  // namespace tw::crypto
