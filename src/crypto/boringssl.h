// BoringSSL's ChaCha20-Poly1305, found at run time: nothing links to BoringSSL, and a machine
// without it has an engine less. BoringSSL defines some 1,800 names that OpenSSL defines as well,
// so it is loaded such that neither library sees a name of the other, and its headers are included
// nowhere. Only for the .cc files of crypto/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace tw::crypto {

struct BoringsslAead;     ///< its EVP_AEAD: an algorithm
struct BoringsslContext;  ///< its EVP_AEAD_CTX: an algorithm with a key

/// The functions of BoringSSL that are used. Its <openssl/aead.h> describes each under the name in
/// the comment; 1 is success wherever an int is returned.
struct Boringssl {
  const BoringsslAead* (*chacha20_poly1305)();  // EVP_aead_chacha20_poly1305

  // EVP_AEAD_CTX_new, _init, _cleanup, _free
  BoringsslContext* (*new_context)(const BoringsslAead* aead, const std::uint8_t* key,
                                   std::size_t key_size, std::size_t tag_size);
  int (*init)(BoringsslContext* context, const BoringsslAead* aead, const std::uint8_t* key,
              std::size_t key_size, std::size_t tag_size, void* unused);
  void (*cleanup)(BoringsslContext* context);
  void (*free_context)(BoringsslContext* context);

  // EVP_AEAD_CTX_seal_scatter
  int (*seal)(const BoringsslContext* context, std::uint8_t* out, std::uint8_t* tag,
              std::size_t* tag_written, std::size_t tag_room, const std::uint8_t* nonce,
              std::size_t nonce_size, const std::uint8_t* text, std::size_t text_size,
              const std::uint8_t* extra, std::size_t extra_size, const std::uint8_t* data,
              std::size_t data_size);
  // EVP_AEAD_CTX_open_gather: zeroes `out` if the tag does not verify
  int (*open)(const BoringsslContext* context, std::uint8_t* out, const std::uint8_t* nonce,
              std::size_t nonce_size, const std::uint8_t* text, std::size_t text_size,
              const std::uint8_t* tag, std::size_t tag_size, const std::uint8_t* data,
              std::size_t data_size);
};

/// Loads the library at `path`, which must be absolute: no search path has a say. Fails with
/// `unavailable` if it is not there, or is no BoringSSL that has all these functions. What was
/// loaded is never unloaded: a thread that once failed to open a packet runs its code when it ends.
Result<Boringssl> load_boringssl(const char* path);

/// The library at the place where Debian puts it (TW_BORINGSSL in CMakeLists.txt), or why not.
/// Loaded at the first call, from any thread, and the same ever after.
const Result<Boringssl>& boringssl();

}  // namespace tw::crypto
