#include "crypto/boringssl.h"

#include <dlfcn.h>

#include <string>
#include <utility>

namespace tw::crypto {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#elif defined(__has_feature)
constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool is_sanitized = false;
#endif

/// RTLD_LOCAL hides the library's names from all others. RTLD_DEEPBIND lets it find its own names
/// before theirs. The sanitizers end a program that asks for the latter, so their builds go
/// without. They may: of all that sealing and opening call by name, OpenSSL defines CRYPTO_memcmp
/// alone, and that does the same in both.
constexpr int load_mode = RTLD_NOW | RTLD_LOCAL | (is_sanitized ? 0 : RTLD_DEEPBIND);

/// Returns the last complaint of dlopen() or dlsym() in this thread.
std::string complaint() {
  const char* text = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps one for each thread
  return text == nullptr ? "no reason given" : text;
}

/// Looks names up in a library until one is missing.
class Names {
 public:
  explicit Names(void* library) noexcept : library_(library) {}

  template <typename Function>
  Names& find(const char* name, Function*& function) noexcept {
    if (missing_ != nullptr) return *this;
    function = reinterpret_cast<Function*>(::dlsym(library_, name));
    if (function == nullptr) missing_ = name;
    return *this;
  }
  const char* missing() const noexcept { return missing_; }  ///< null if all were found

 private:
  void* library_;
  const char* missing_ = nullptr;
};

}  // namespace

Result<Boringssl> load_boringssl(const char* path) {
  void* library = ::dlopen(path, load_mode);
  if (library == nullptr)
    return make_error(Error::Kind::unavailable, "no BoringSSL: " + complaint());
  Boringssl found{};
  Names names{library};
  names.find("EVP_aead_chacha20_poly1305", found.chacha20_poly1305)
      .find("EVP_AEAD_CTX_new", found.new_context)
      .find("EVP_AEAD_CTX_init", found.init)
      .find("EVP_AEAD_CTX_cleanup", found.cleanup)
      .find("EVP_AEAD_CTX_free", found.free_context)
      .find("EVP_AEAD_CTX_seal_scatter", found.seal)
      .find("EVP_AEAD_CTX_open_gather", found.open);
  if (names.missing() != nullptr) {
    ::dlclose(library);
    return make_error(Error::Kind::unavailable,
                      std::string{path} + " has no " + names.missing() + ": it is no BoringSSL");
  }
  return found;
}

const Result<Boringssl>& boringssl() {
  static const Result<Boringssl> loaded = load_boringssl(TW_BORINGSSL);
  return loaded;
}

}  // namespace tw::crypto
