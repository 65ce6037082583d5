// Bucket -> context, through a fixed indirection table, like the RSS table of a NIC.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/assert.h"
#include "exec/context.h"
#include "steer/receiver_index.h"

namespace tw {

/// Written by the control context only; read by every context with one relaxed load. All buckets
/// belong to context 0 until they are assigned.
class SteeringTable {
 public:
  ContextId context_of(Bucket bucket) const noexcept {
    TW_ASSERT(bucket.value < Bucket::count);
    return ContextId{owner_[bucket.value].load(std::memory_order_relaxed)};
  }
  /// First step of a hand-over, not the whole: packets steered by the old entry may still be on
  /// their way, and the old context keeps the bucket's state until the grace period has passed.
  void assign(Bucket bucket, ContextId target) noexcept {
    TW_ASSERT(bucket.value < Bucket::count);
    owner_[bucket.value].store(target.value, std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint16_t>, Bucket::count> owner_{};
};

}  // namespace tw
