// Counts of the stages that one core runs: they show execution order inversion (paper P0), where
// deliver runs too early, finds one packet or none, and piles up on one core.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace tw {

/// Unlike Counter it has several writers: threads of one core that share its counts.
class SharedCounter {
 public:
  void add(std::uint64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Packets that a deliver call found: none, 1, 2, 3–4, 5–8, 9–16, 17–32, more.
class CallSizes {
 public:
  static constexpr std::size_t buckets = 8;
  static constexpr std::size_t bucket_of(std::size_t packets) noexcept {
    return packets == 0 ? 0 : std::min<std::size_t>(std::bit_width(packets - 1) + 1, buckets - 1);
  }
  void add(std::size_t packets) noexcept { counts_[bucket_of(packets)].add(); }
  std::uint64_t of(std::size_t bucket) const noexcept { return counts_[bucket].value(); }

 private:
  std::array<SharedCounter, buckets> counts_{};
};

/// Time that packets stood before a stage. The mean is `total` divided by `packets`.
struct QueueWait {
  SharedCounter packets, total_ns;

  void add(Duration waited) noexcept {
    packets.add();
    total_ns.add(static_cast<std::uint64_t>(std::max(waited, Duration::zero()).count()));
  }
};

/// Any thread may read, and the contexts of the core write.
struct StageCounters {
  SharedCounter opened;     ///< packets
  SharedCounter preempted;  ///< packets during which, or after which, a deliver call came between
  SharedCounter deliver_calls, deliver_empty, delivered;
  CallSizes call_sizes;
  QueueWait open_wait, deliver_wait;
};

}  // namespace tw
