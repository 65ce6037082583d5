// A slot is an entry of the indirection table: a bucket, or one of few flows by themselves.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "steer/receiver_index.h"

namespace tw {

/// Numbers below Bucket::count are buckets, the others elephants.
struct Slot {
  static constexpr std::size_t elephants = 64;
  static constexpr std::size_t count = Bucket::count + elephants;

  std::uint16_t value = 0;

  static constexpr Slot of(Bucket bucket) noexcept { return Slot{bucket.value}; }
  static constexpr Slot elephant(std::size_t number) noexcept {
    return Slot{static_cast<std::uint16_t>(Bucket::count + number)};
  }
  constexpr bool is_elephant() const noexcept { return value >= Bucket::count; }
  friend constexpr auto operator<=>(Slot, Slot) noexcept = default;
};

}  // namespace tw
