// The data path's cipher alone: crypto/aead_engine.h on packets of the usual size, and on small
// ones, which show what a packet costs beside its bytes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "crypto/aead_choice.h"
#include "crypto/aead_engine.h"
#include "limit.h"

namespace tw::bench {
namespace {

constexpr std::uint32_t packet_size = 1420;
constexpr std::uint32_t small_size = 64;
constexpr std::size_t tag_size = 16;
constexpr std::size_t batch = 32;
constexpr std::size_t key_count = 64;

/// Packets of one size, with the first `keys` keys in turn: as many packets as there are keys, so
/// that each can have its own. Always under the same nonces: what is sealed again is what it was.
class Packets {
 public:
  Packets(std::uint32_t size, std::size_t keys)
      : keys_(keys), text_(key_count * (size + tag_size)), jobs_(key_count) {
    for (crypto::SymmetricKey& key : keys_) crypto::random_bytes(key.span());
    for (std::size_t at = 0; at < key_count; ++at) {
      jobs_[at] = {.key = &keys_[at % keys],
                   .counter = at,
                   .text = text_.data() + at * (size + tag_size),
                   .length = size};
    }
  }

  /// All of them, `count` at a time.
  void seal(crypto::AeadEngine& engine, std::size_t count) noexcept {
    for (std::span<crypto::AeadJob> left{jobs_}; !left.empty(); left = left.subspan(count)) {
      engine.submit_seal(left.first(count));
      engine.complete();
    }
  }
  void seal_and_open(crypto::AeadEngine& engine, std::size_t count) noexcept {
    for (std::span<crypto::AeadJob> left{jobs_}; !left.empty(); left = left.subspan(count)) {
      engine.submit_seal(left.first(count));
      engine.complete();
      engine.submit_open(left.first(count));
      engine.complete();
    }
  }
  bool are_opened() const noexcept {
    return std::all_of(text_.begin(), text_.begin() + jobs_[0].length,
                       [](auto b) { return b == 0; });
  }

 private:
  std::vector<crypto::SymmetricKey> keys_;
  std::vector<std::uint8_t> text_;
  std::vector<crypto::AeadJob> jobs_;
};

struct Costs {
  double seal_ns;
  double open_ns;  ///< the time to seal and open a packet, less that to seal it
};

Costs costs_of(crypto::AeadEngine& engine, std::uint32_t size, std::size_t keys,
               std::size_t count = batch) {
  Packets packets{size, keys};
  const double both_ns = ns_per_operation(key_count, [&] { packets.seal_and_open(engine, count); });
  TW_ASSERT(packets.are_opened());
  const double seal_ns = ns_per_operation(key_count, [&] { packets.seal(engine, count); });
  return {seal_ns, both_ns - seal_ns};
}

std::string limits_of(crypto::AeadEngine& engine) {
  const Costs one_key = costs_of(engine, packet_size, 1);
  const Costs keys = costs_of(engine, packet_size, key_count);
  const Costs single = costs_of(engine, packet_size, 1, 1);
  const Costs small = costs_of(engine, small_size, 1);
  const Costs small_keys = costs_of(engine, small_size, key_count);
  return fmt::format(
      R"({{"name": "{}", "seal_ns": {:.1f}, "open_ns": {:.1f}, "seal_keys_ns": {:.1f}, )"
      R"("open_keys_ns": {:.1f}, "seal_single_ns": {:.1f}, "open_single_ns": {:.1f}, )"
      R"("seal_small_ns": {:.1f}, "open_small_ns": {:.1f}, "seal_small_keys_ns": {:.1f}, )"
      R"("open_small_keys_ns": {:.1f}}})",
      engine.name(), one_key.seal_ns, one_key.open_ns, keys.seal_ns, keys.open_ns, single.seal_ns,
      single.open_ns, small.seal_ns, small.open_ns, small_keys.seal_ns, small_keys.open_ns);
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
  return fmt::format(
      R"({{"packet_bytes": {}, "small_bytes": {}, "batch": {}, "keys": {}, "engines": [{}]}})",
      packet_size, small_size, batch, key_count, engines);
}

}  // namespace tw::bench
