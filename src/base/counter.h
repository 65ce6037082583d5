// A counter with one writer and any number of readers. A plain add for the writer (no locked
// instruction), never torn for a reader: that is all that "no shared counters on the path" leaves.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "base/drop.h"

namespace tw {

class Counter {
 public:
  /// Only the context that owns the counter may call this.
  void add(std::uint64_t by = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// One counter a drop reason, in segments.
class DropCounters {
 public:
  void add(Drop reason, std::uint64_t segments = 1) noexcept {
    by_reason_[std::to_underlying(reason)].add(segments);
  }
  std::uint64_t of(Drop reason) const noexcept {
    return by_reason_[std::to_underlying(reason)].value();
  }
  std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const Counter& counter : by_reason_) sum += counter.value();
    return sum;
  }

 private:
  std::array<Counter, drop_count> by_reason_;
};

}  // namespace tw
