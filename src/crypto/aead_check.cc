#include "crypto/aead_check.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/assert.h"
#include "crypto/cipher.h"

namespace tw::crypto {
namespace {

constexpr std::size_t tag_size = 16;
constexpr std::array<std::uint32_t, 13> sizes{0,  1,   15,  16,   17,   63,   64,
                                              65, 255, 256, 1420, 1452, 16384};

// RFC 8439, appendix A.5, whose nonce has the form of WireGuard's. The ciphertext is the RFC's; it
// authenticates additional data, which an engine has not, so the tag is that of the ciphertext
// alone. It covers all of it: the beginning beside it is enough.
constexpr std::array<std::uint8_t, 32> rfc_key{
    0x1c, 0x92, 0x40, 0xa5, 0xeb, 0x55, 0xd3, 0x8a, 0xf3, 0x33, 0x88, 0x86, 0x04, 0xf6, 0xb5, 0xf0,
    0x47, 0x39, 0x17, 0xc1, 0x40, 0x2b, 0x80, 0x09, 0x9d, 0xca, 0x5c, 0xbc, 0x20, 0x70, 0x75, 0xc0};
constexpr std::uint64_t rfc_counter = 0x0807060504030201;
constexpr std::string_view rfc_text =
    "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, "
    "replaced, or obsoleted by other documents at any time. It is inappropriate to use "
    "Internet-Drafts as reference material or to cite them other than as "
    "/\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
constexpr std::array<std::uint8_t, 16> rfc_beginning{
    0x64, 0xa0, 0x86, 0x15, 0x75, 0x86, 0x1a, 0xf4, 0x60, 0xf0, 0x62, 0xc7, 0x9b, 0xe6, 0x43, 0xbd};
constexpr std::array<std::uint8_t, 16> rfc_tag{0x6e, 0x35, 0x70, 0xb1, 0xac, 0xaa, 0xf1, 0xf2,
                                               0x4f, 0x2a, 0x64, 0x4f, 0x01, 0xac, 0xd1, 0x2b};

std::string known_answer_fault(AeadEngine& engine) {
  const SymmetricKey key{rfc_key};
  std::vector<std::uint8_t> text(rfc_text.begin(), rfc_text.end());
  text.resize(text.size() + tag_size);
  AeadJob job{.key = &key,
              .counter = rfc_counter,
              .text = text.data(),
              .length = static_cast<std::uint32_t>(rfc_text.size())};
  engine.submit_seal({&job, 1});
  engine.complete();
  if (!std::equal(rfc_beginning.begin(), rfc_beginning.end(), text.begin()) ||
      !std::equal(rfc_tag.begin(), rfc_tag.end(), text.end() - tag_size)) {
    return "seals RFC 8439 A.5 wrongly";
  }
  job.authentic = false;
  engine.submit_open({&job, 1});
  engine.complete();
  const bool same = as_text(ByteView{text}.first(rfc_text.size())) == rfc_text;
  return job.authentic && same ? "" : "does not open RFC 8439 A.5";
}

/// Packets of all `sizes`, each with its own key, and what libsodium makes of them.
class Packets {
 public:
  Packets() {
    ready_sodium();
    for (std::size_t at = 0; at < sizes.size(); ++at) {
      std::array<std::uint8_t, 32> key;
      for (std::size_t byte = 0; byte < key.size(); ++byte) key[byte] = pattern(at, byte);
      keys_[at] = SymmetricKey{key};
      plain_[at].resize(sizes[at]);
      for (std::size_t byte = 0; byte < sizes[at]; ++byte) plain_[at][byte] = pattern(byte, at);
      sealed_[at].resize(sizes[at] + tag_size);
      TW_ASSERT(crypto_aead_chacha20poly1305_ietf_encrypt(
                    sealed_[at].data(), nullptr, plain_[at].data(), sizes[at], nullptr, 0, nullptr,
                    padded_nonce_of(counter_of(at)).data(), keys_[at].view().data()) == 0);
    }
  }

  std::string sealing_fault(AeadEngine& engine) {
    for (std::size_t at = 0; at < sizes.size(); ++at) {
      texts_[at] = plain_[at];
      texts_[at].resize(sizes[at] + tag_size);
    }
    std::array<AeadJob, sizes.size()> jobs = jobs_on_texts();
    engine.submit_seal(jobs);
    engine.complete();
    for (std::size_t at = 0; at < sizes.size(); ++at) {
      if (texts_[at] != sealed_[at]) return "seals wrongly at " + bytes(at);
    }
    return "";
  }

  /// Every second packet, from `forged` on, has a bit of its tag or of its last byte changed.
  std::string opening_fault(AeadEngine& engine, std::size_t forged) {
    texts_ = sealed_;
    for (std::size_t at = forged; at < sizes.size(); at += 2) {
      const std::size_t place = texts_[at].size() - 1 - std::min(at, texts_[at].size() - 1);
      texts_[at][place] ^= static_cast<std::uint8_t>(1U << (at % 8));
    }
    std::array<AeadJob, sizes.size()> jobs = jobs_on_texts();
    engine.submit_open(jobs);
    engine.complete();
    for (std::size_t at = 0; at < sizes.size(); ++at) {
      const bool is_forged = at % 2 == forged;
      texts_[at].resize(sizes[at]);
      if (is_forged && jobs[at].authentic) return "accepts a forgery of " + bytes(at);
      if (!is_forged && !jobs[at].authentic) return "refuses a genuine packet of " + bytes(at);
      if (texts_[at] != (is_forged ? std::vector<std::uint8_t>(sizes[at]) : plain_[at])) {
        return (is_forged ? "gives out a forgery of " : "opens wrongly at ") + bytes(at);
      }
    }
    return "";
  }

 private:
  static std::uint8_t pattern(std::size_t left, std::size_t right) noexcept {
    return static_cast<std::uint8_t>((left + 1) * 167 + (right + 1) * 59 + left / 256);
  }
  static std::uint64_t counter_of(std::size_t at) noexcept {
    return (std::uint64_t{at} << 60U) ^ (std::uint64_t{1} << (5 * at));
  }
  static std::string bytes(std::size_t at) { return std::to_string(sizes[at]) + " bytes"; }

  std::array<AeadJob, sizes.size()> jobs_on_texts() noexcept {
    std::array<AeadJob, sizes.size()> jobs;
    for (std::size_t at = 0; at < sizes.size(); ++at) {
      jobs[at] = {.key = &keys_[at],
                  .counter = counter_of(at),
                  .text = texts_[at].data(),
                  .length = sizes[at]};
    }
    return jobs;
  }

  std::array<SymmetricKey, sizes.size()> keys_;
  std::array<std::vector<std::uint8_t>, sizes.size()> plain_;
  std::array<std::vector<std::uint8_t>, sizes.size()> sealed_;
  std::array<std::vector<std::uint8_t>, sizes.size()> texts_;
};

}  // namespace

std::string fault_of(AeadEngine& engine) {
  if (std::string fault = known_answer_fault(engine); !fault.empty()) return fault;
  Packets packets;
  if (std::string fault = packets.sealing_fault(engine); !fault.empty()) return fault;
  if (std::string fault = packets.opening_fault(engine, 0); !fault.empty()) return fault;
  return packets.opening_fault(engine, 1);
}

}  // namespace tw::crypto
