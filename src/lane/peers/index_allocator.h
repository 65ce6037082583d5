// Gives out receiver indices that carry the bucket of their peer, and knows which are in use.
#pragma once

#include <cstdint>
#include <unordered_set>

#include "base/random.h"
#include "steer/receiver_index.h"
#include "wg/handshaker.h"

namespace tw::lane {

/// The bucket whose worker owns a peer. Slots are dense, so consecutive peers spread evenly.
constexpr Bucket bucket_of(wg::PeerId peer) noexcept {
  return Bucket{static_cast<std::uint16_t>(peer.value % Bucket::count)};
}

/// Used by the handshake context only.
class IndexAllocator final : public wg::IndexSource {
 public:
  /// Both must outlive this. `random` gives the 20 bits that are not the bucket.
  IndexAllocator(const ReceiverIndex& codec, RandomSource& random) noexcept
      : codec_(codec), random_(random) {}

  std::optional<std::uint32_t> allocate(wg::PeerId peer) noexcept override;
  void release(std::uint32_t index) noexcept override;
  std::size_t in_use() const noexcept { return in_use_.size(); }

 private:
  /// A bucket holds 2^20 indices; with even half of them in use, 64 misses in a row do not happen.
  static constexpr int attempts = 64;
  const ReceiverIndex& codec_;
  RandomSource& random_;
  std::unordered_set<std::uint32_t> in_use_;
};

}  // namespace tw::lane
