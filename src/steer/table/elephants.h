// The flows that have a slot of their own, by their exact hash.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "steer/table/slot.h"

namespace tw {

/// The bucket of a flow: the upper 12 bits of its hash.
constexpr Bucket bucket_of_hash(std::uint32_t hash) noexcept {
  return Bucket{static_cast<std::uint16_t>(hash >> (32 - Bucket::bits))};
}

/// At most Slot::elephants flows. A look-up in a bucket without elephants reads one bit.
class Elephants {
 public:
  Slot slot_of(std::uint32_t hash) const noexcept {
    const Bucket bucket = bucket_of_hash(hash);
    if (!marked_[bucket.value]) return Slot::of(bucket);
    for (std::size_t number = 0; number < Slot::elephants; ++number) {
      if (used_[number] && hashes_[number] == hash) return Slot::elephant(number);
    }
    return Slot::of(bucket);
  }

  /// Returns the flow's new slot; none if it has one, or all are taken.
  std::optional<Slot> add(std::uint32_t hash) noexcept {
    if (slot_of(hash).is_elephant() || used_.all()) return std::nullopt;
    std::size_t number = 0;
    while (used_[number]) ++number;
    used_.set(number);
    hashes_[number] = hash;
    marked_.set(bucket_of_hash(hash).value);
    return Slot::elephant(number);
  }

  void remove(Slot slot) noexcept {
    used_.reset(number_of(slot));
    marked_.reset();
    for (std::size_t number = 0; number < Slot::elephants; ++number) {
      if (used_[number]) marked_.set(bucket_of_hash(hashes_[number]).value);
    }
  }

  bool is_used(Slot slot) const noexcept { return used_[number_of(slot)]; }
  Bucket bucket(Slot slot) const noexcept { return bucket_of_hash(hashes_[number_of(slot)]); }
  std::size_t size() const noexcept { return used_.count(); }

 private:
  static std::size_t number_of(Slot slot) noexcept { return slot.value - Bucket::count; }

  std::bitset<Bucket::count> marked_;  // buckets that have an elephant
  std::bitset<Slot::elephants> used_;
  std::array<std::uint32_t, Slot::elephants> hashes_{};
};

}  // namespace tw
