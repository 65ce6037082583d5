// The data path's cipher alone: crypto/aead_engine.h on packets of the usual size.
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "crypto/aead_choice.h"
#include "crypto/aead_engine.h"
#include "limit.h"

namespace tw::bench {
namespace {

constexpr std::size_t packet_size = 1420;
constexpr std::size_t tag_size = 16;
constexpr std::size_t batch = 32;
constexpr std::size_t key_count = 64;

/// Packets and keys that an engine works on: as many packets as keys, so that each has one.
class Packets {
 public:
  Packets() : keys_(key_count), text_(key_count * (packet_size + tag_size)) {
    for (crypto::SymmetricKey& key : keys_) crypto::random_bytes(key.span());
  }

  /// Seals `jobs` packets from `first` on, with the first `keys` keys in turn.
  void seal(crypto::AeadEngine& engine, std::size_t first, std::size_t jobs, std::size_t keys) {
    for (std::size_t i = 0; i < jobs; ++i) {
      const std::size_t at = (first + i) % key_count;
      jobs_[i] = {.key = &keys_[at % keys],
                  .counter = counter_++,
                  .text = text_.data() + at * (packet_size + tag_size),
                  .length = packet_size};
    }
    engine.submit_seal(std::span{jobs_}.first(jobs));
    engine.complete();
  }

 private:
  std::vector<crypto::SymmetricKey> keys_;
  std::vector<std::uint8_t> text_;
  std::array<crypto::AeadJob, batch> jobs_{};
  std::uint64_t counter_ = 0;
};

std::string limits_of(crypto::AeadEngine& engine) {
  Packets packets;
  const double one_key = ns_per_operation(batch, [&] { packets.seal(engine, 0, batch, 1); });
  // Two batches, so that all the keys are in it.
  const double many_keys = ns_per_operation(2 * batch, [&] {
    packets.seal(engine, 0, batch, key_count);
    packets.seal(engine, batch, batch, key_count);
  });
  const double single = ns_per_operation(1, [&] { packets.seal(engine, 0, 1, 1); });
  return fmt::format(
      R"({{"name": "{}", "seal_ns": {:.1f}, "seal_keys_ns": {:.1f}, "seal_single_ns": {:.1f}}})",
      engine.name(), one_key, many_keys, single);
}

}  // namespace

std::string cipher_limits() {
  std::string engines;
  for (const crypto::AeadCandidate& candidate : crypto::aead_candidates()) {
    auto engine = candidate.make();
    if (!engine) continue;  // it is not for this machine
    if (!engines.empty()) engines += ", ";
    engines += limits_of(**engine);
  }
  return fmt::format(R"({{"packet_bytes": {}, "batch": {}, "keys": {}, "engines": [{}]}})",
                     packet_size, batch, key_count, engines);
}

}  // namespace tw::bench
