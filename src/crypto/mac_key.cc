#include "crypto/mac_key.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/assert.h"
#include "crypto/algorithms.h"

namespace tw::crypto {

void MacKey::FreeContext::operator()(evp_mac_ctx_st* context) const noexcept {
  EVP_MAC_CTX_free(context);
}

MacKey::MacKey(const SymmetricKey& key) noexcept
    : context_(EVP_MAC_CTX_new(algorithms().blake2s_mac)) {
  TW_ASSERT(context_ != nullptr);
  std::size_t size = Mac{}.size();
  const std::array parameters{OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                              OSSL_PARAM_construct_end()};
  const ByteView bytes = key.view();
  TW_ASSERT(EVP_MAC_init(context_.get(), bytes.data(), bytes.size(), parameters.data()) == 1);
}

// Without a key EVP_MAC_init begins again with the one it has.
Mac MacKey::of(std::initializer_list<ByteView> parts) const noexcept {
  TW_ASSERT(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1);
  for (const ByteView part : parts) {
    TW_ASSERT(EVP_MAC_update(context_.get(), part.data(), part.size()) == 1);
  }
  Mac mac;
  std::size_t length = 0;
  TW_ASSERT(EVP_MAC_final(context_.get(), mac.data(), &length, mac.size()) == 1);
  TW_ASSERT(length == mac.size());
  return mac;
}

}  // namespace tw::crypto
