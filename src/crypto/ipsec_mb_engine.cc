#include "crypto/aead_engine.h"

#if defined(__x86_64__)

#include <intel-ipsec-mb.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "base/assert.h"
#include "crypto/cipher.h"

namespace tw::crypto {
namespace {

/// Jobs in a submission to the library, which takes 128 at most. Its job slots are 250 bytes each:
/// these stay in the first-level cache beside the packets.
constexpr std::size_t burst_size = 32;

/// Only the code for AVX-512 is used. It takes 0.4 of OpenSSL's time; the code for AVX2 takes all
/// of it, that for SSE more, and in version 1.3 the code for AVX2 reads beyond the end of the key.
constexpr std::uint64_t needed_features = IMB_CPUFLAGS_AVX512;

/// The library's state holds pointers to keys and intermediate values: wiped before it is freed,
/// which is why it lies in memory of ours.
struct WipeState {
  static constexpr std::align_val_t alignment{64};
  void operator()(IMB_MGR* state) const noexcept {
    wipe({reinterpret_cast<std::uint8_t*>(state), imb_get_mb_mgr_size()});
    ::operator delete(state, alignment);
  }
};
using State = std::unique_ptr<IMB_MGR, WipeState>;

/// The job's own tag against the computed one: every byte is looked at, whatever it holds.
bool same_tag(const std::uint8_t* left, const std::uint8_t* right) noexcept {
  std::array<std::uint64_t, 2> a;
  std::array<std::uint64_t, 2> b;
  std::memcpy(a.data(), left, sizeof a);
  std::memcpy(b.data(), right, sizeof b);
  return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
}

class IpsecMbEngine final : public AeadEngine {
 public:
  explicit IpsecMbEngine(State state) noexcept : state_(std::move(state)) {}
  IpsecMbEngine(const IpsecMbEngine&) = delete;
  IpsecMbEngine& operator=(const IpsecMbEngine&) = delete;
  ~IpsecMbEngine() override {
    for (Tag& tag : tags_) wipe(tag);
  }

  std::string_view name() const noexcept override { return "ipsec-mb"; }

  void submit_seal(std::span<AeadJob> jobs) noexcept override {
    for (; !jobs.empty(); jobs = jobs.subspan(std::min(jobs.size(), burst_size))) {
      seal_burst(jobs.first(std::min(jobs.size(), burst_size)));
    }
  }

  void submit_open(std::span<AeadJob> jobs) noexcept override {
    for (; !jobs.empty(); jobs = jobs.subspan(std::min(jobs.size(), burst_size))) {
      open_burst(jobs.first(std::min(jobs.size(), burst_size)));
    }
  }

  void complete() noexcept override {}

 private:
  using Tag = std::array<std::uint8_t, 16>;

  void seal_burst(std::span<AeadJob> jobs) noexcept {
    take_slots(jobs.size());
    for (std::size_t at = 0; at < jobs.size(); ++at) {
      IMB_JOB& slot = fill(at, jobs[at]);
      slot.cipher_direction = IMB_DIR_ENCRYPT;
      slot.chain_order = IMB_ORDER_CIPHER_HASH;
      slot.auth_tag_output = jobs[at].text + jobs[at].length;
    }
    run(jobs.size());
    for (AeadJob& job : jobs) job.authentic = true;
  }

  /// The library computes tags and leaves their comparison to its caller; it deciphers regardless.
  void open_burst(std::span<AeadJob> jobs) noexcept {
    take_slots(jobs.size());
    for (std::size_t at = 0; at < jobs.size(); ++at) {
      IMB_JOB& slot = fill(at, jobs[at]);
      slot.cipher_direction = IMB_DIR_DECRYPT;
      slot.chain_order = IMB_ORDER_HASH_CIPHER;
      slot.auth_tag_output = tags_[at].data();
    }
    run(jobs.size());
    for (std::size_t at = 0; at < jobs.size(); ++at) {
      AeadJob& job = jobs[at];
      job.authentic = same_tag(job.text + job.length, tags_[at].data());
      if (!job.authentic) std::memset(job.text, 0, job.length);
    }
  }

  void take_slots(std::size_t count) noexcept {
    TW_ASSERT(IMB_GET_NEXT_BURST(state_.get(), static_cast<std::uint32_t>(count), slots_.data()) ==
              count);
  }

  IMB_JOB& fill(std::size_t at, const AeadJob& job) noexcept {
    TW_DASSERT(job.key != nullptr && job.text != nullptr);
    nonces_[at] = padded_nonce_of(job.counter);
    IMB_JOB& slot = *slots_[at];
    slot.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    slot.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    slot.enc_keys = job.key->view().data();
    slot.dec_keys = job.key->view().data();
    slot.key_len_in_bytes = 32;
    slot.src = job.text;
    slot.dst = job.text;
    slot.cipher_start_src_offset_in_bytes = 0;
    slot.msg_len_to_cipher_in_bytes = job.length;
    slot.hash_start_src_offset_in_bytes = 0;
    slot.msg_len_to_hash_in_bytes = job.length;
    slot.iv = nonces_[at].data();
    slot.iv_len_in_bytes = 12;
    slot.auth_tag_output_len_in_bytes = sizeof(Tag);
    slot.u.CHACHA20_POLY1305.aad = nullptr;
    slot.u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
    slot.u.CHACHA20_POLY1305.ctx = nullptr;
    return slot;
  }

  /// Without the library's check of its arguments: 14 ns a job, and fill() leaves nothing to find.
  void run(std::size_t count) noexcept {
    const auto jobs = static_cast<std::uint32_t>(count);
    std::uint32_t done = IMB_SUBMIT_BURST_NOCHECK(state_.get(), jobs, slots_.data());
    while (done < jobs) {
      const std::uint32_t flushed = IMB_FLUSH_BURST(state_.get(), jobs - done, slots_.data());
      TW_ASSERT(flushed > 0);
      done += flushed;
    }
  }

  State state_;
  std::array<IMB_JOB*, burst_size> slots_{};
  std::array<PaddedNonce, burst_size> nonces_{};  // read until the burst is done
  std::array<Tag, burst_size> tags_{};            // what the tags of opened texts should be
};

/// Clears and sets up `state`, or says why this library on this CPU is of no use. Every refusal
/// happens before any vector instruction of the library is run, but for its self test.
Result<void> set_up(IMB_MGR* state) noexcept {
  const auto refuse = [](std::string_view why) {
    return make_error(Error::Kind::unavailable, std::string{why});
  };
  if (imb_set_pointers_mb_mgr(state, 0, 1) == nullptr)
    return refuse("libipsec-mb refuses its state");
  if ((state->features & needed_features) != needed_features) {
    return refuse("the CPU lacks AVX-512");
  }
  // CPUID told what the CPU has. Whether the kernel lets programs use it is told by XCR0, which the
  // library does not read and the compiler's own question does.
  if (!__builtin_cpu_supports("avx512f")) return refuse("the kernel has not enabled AVX-512");
  if ((state->features & IMB_FEATURE_SAFE_DATA) == 0) {
    return refuse("libipsec-mb was built to leave keys on the stack");
  }
  IMB_ARCH architecture = IMB_ARCH_NONE;
  init_mb_mgr_auto(state, &architecture);
  if (imb_get_errno(state) != 0) {
    return refuse(std::string{"libipsec-mb: "} + imb_get_strerror(imb_get_errno(state)));
  }
  if (architecture != IMB_ARCH_AVX512) return refuse("libipsec-mb does not use AVX-512 here");
  constexpr std::uint64_t tested = IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;
  if ((state->features & tested) == IMB_FEATURE_SELF_TEST) {
    return refuse("libipsec-mb failed its self test");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<AeadEngine>> make_ipsec_mb_engine() {
  const std::size_t size = imb_get_mb_mgr_size();
  void* memory = ::operator new(size, WipeState::alignment);
  std::memset(memory, 0, size);
  State state{static_cast<IMB_MGR*>(memory)};
  if (Result<void> ready = set_up(state.get()); !ready) return std::unexpected{ready.error()};
  return std::make_unique<IpsecMbEngine>(std::move(state));
}

}  // namespace tw::crypto

#else  // the library is for x86-64 only

namespace tw::crypto {

Result<std::unique_ptr<AeadEngine>> make_ipsec_mb_engine() {
  return make_error(Error::Kind::unavailable, "libipsec-mb is for x86-64 only");
}

}  // namespace tw::crypto

#endif
