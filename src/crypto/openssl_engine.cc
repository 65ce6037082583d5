#include <utility>

#include "base/assert.h"
#include "crypto/aead_engine.h"
#include "crypto/cipher.h"

namespace tw::crypto {
namespace {

/// Does each job inside submit(). The last key used stays in the context until the next packet or
/// the engine's end, when OpenSSL wipes it.
class OpensslEngine final : public AeadEngine {
 public:
  OpensslEngine(CipherContext sealing, CipherContext opening) noexcept
      : sealing_(std::move(sealing)), opening_(std::move(opening)) {}

  std::string_view name() const noexcept override { return "openssl"; }

  void submit_seal(std::span<AeadJob> jobs) noexcept override {
    for (AeadJob& job : jobs) {
      TW_DASSERT(job.key != nullptr && job.text != nullptr);
      seal_on(sealing_.get(), *job.key, job.counter, {}, {job.text, job.length}, job.text,
              job.text + job.length);
      job.authentic = true;
    }
  }

  void submit_open(std::span<AeadJob> jobs) noexcept override {
    for (AeadJob& job : jobs) {
      TW_DASSERT(job.key != nullptr && job.text != nullptr);
      job.authentic = open_on(opening_.get(), *job.key, job.counter, {}, {job.text, job.length},
                              job.text, job.text + job.length);
    }
  }

  void complete() noexcept override {}

 private:
  CipherContext sealing_;
  CipherContext opening_;
};

}  // namespace

std::unique_ptr<AeadEngine> make_openssl_engine() {
  CipherContext sealing = make_cipher_context(Direction::seal);
  CipherContext opening = make_cipher_context(Direction::open);
  if (sealing == nullptr || opening == nullptr) return nullptr;
  return std::make_unique<OpensslEngine>(std::move(sealing), std::move(opening));
}

}  // namespace tw::crypto
