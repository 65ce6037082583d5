#include <memory>
#include <utility>

#include "base/assert.h"
#include "crypto/aead_engine.h"
#include "crypto/boringssl.h"
#include "crypto/cipher.h"

namespace tw::crypto {
namespace {

constexpr std::size_t key_size = 32;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;

/// A context that takes one key after the other. The library allocates it once, so its size need
/// not be known here. A new key is a cleanup, which frees nothing for this algorithm, and an init,
/// which copies 32 bytes: 2 to 4 ns in a batch. A new context for each key takes 22, and allocates.
class Context {
 public:
  explicit Context(const Boringssl& library) noexcept
      : library_(library),
        aead_(library.chacha20_poly1305()),
        context_(library.new_context(aead_, no_key.data(), key_size, tag_size)) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    if (context_ == nullptr) return;
    set_key(no_key.data());  // in the place of the last one
    library_.free_context(context_);
  }

  bool is_usable() const noexcept { return context_ != nullptr; }

  void seal(AeadJob& job) noexcept {
    TW_DASSERT(job.key != nullptr && job.text != nullptr);
    set_key(job.key->view().data());
    const PaddedNonce nonce = padded_nonce_of(job.counter);
    std::size_t written = 0;
    TW_ASSERT(library_.seal(context_, job.text, job.text + job.length, &written, tag_size,
                            nonce.data(), nonce_size, job.text, job.length, nullptr, 0, nullptr,
                            0) == 1);
    TW_ASSERT(written == tag_size);
    job.authentic = true;
  }

  /// The library zeroes a text that is not authentic.
  void open(AeadJob& job) noexcept {
    TW_DASSERT(job.key != nullptr && job.text != nullptr);
    set_key(job.key->view().data());
    const PaddedNonce nonce = padded_nonce_of(job.counter);
    job.authentic = library_.open(context_, job.text, nonce.data(), nonce_size, job.text,
                                  job.length, job.text + job.length, tag_size, nullptr, 0) == 1;
  }

 private:
  static constexpr std::array<std::uint8_t, key_size> no_key{};

  void set_key(const std::uint8_t* key) noexcept {
    library_.cleanup(context_);
    TW_ASSERT(library_.init(context_, aead_, key, key_size, tag_size, nullptr) == 1);
  }

  const Boringssl& library_;  // lives until the process ends
  const BoringsslAead* aead_;
  BoringsslContext* context_;
};

/// A refused packet leaves an entry in BoringSSL's queue of errors, a ring of 16 for each thread.
/// Nobody reads it, and only the first entry of a thread allocates.
class BoringsslEngine final : public AeadEngine {
 public:
  explicit BoringsslEngine(const Boringssl& library) noexcept : context_(library) {}
  bool is_usable() const noexcept { return context_.is_usable(); }

  std::string_view name() const noexcept override { return "boringssl"; }

  void submit_seal(std::span<AeadJob> jobs) noexcept override {
    for (AeadJob& job : jobs) context_.seal(job);
  }
  void submit_open(std::span<AeadJob> jobs) noexcept override {
    for (AeadJob& job : jobs) context_.open(job);
  }
  void complete() noexcept override {}

 private:
  Context context_;
};

}  // namespace

Result<std::unique_ptr<AeadEngine>> make_boringssl_engine() {
  const Result<Boringssl>& library = boringssl();
  if (!library) return std::unexpected{library.error()};
  auto engine = std::make_unique<BoringsslEngine>(*library);
  if (!engine->is_usable()) {
    return make_error(Error::Kind::unavailable, "BoringSSL makes no context of ChaCha20-Poly1305");
  }
  return engine;
}

}  // namespace tw::crypto
