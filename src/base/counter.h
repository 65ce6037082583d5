// A counter with one writer and any number of readers. A plain add for the writer (no locked
// instruction), never torn for a reader: that is all that "no shared counters on the path" leaves.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "base/describe.h"
#include "base/drop.h"

namespace tw {

class Counter {
 public:
  Counter() noexcept = default;
  /// A copy is a counter of its own, with the value of that moment: what a report holds.
  Counter(const Counter& other) noexcept : value_(other.value()) {}
  Counter& operator=(const Counter& other) noexcept {
    value_.store(other.value(), std::memory_order_relaxed);
    return *this;
  }

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

inline constexpr MetricFamily drops_metric{"drops_total", "Segments dropped, by reason"};

template <typename Visitor>
void describe(Visitor& visit, const DropCounters& of) {
  visit.each(
      "drops", drop_count, [](std::size_t i) { return drop_names[i]; },
      [&](std::size_t i) { return of.of(static_cast<Drop>(i)); },
      {.family = &drops_metric, .label = "reason"}, Zeros::left_out);
}

}  // namespace tw
