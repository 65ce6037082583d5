// A bounded ring between one producing and one consuming context (Lamport; with the cached index of
// the other side, so that a cache line crosses cores once a batch and not once an item).
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/assert.h"

namespace tw {

/// Holds at most `capacity` items; full means push() returns false and the producer decides.
template <typename T>
class SpscRing {
 public:
  explicit SpscRing(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), slots_(std::make_unique<T[]>(mask_ + 1)) {
    TW_ASSERT(capacity > 0);
  }

  /// Producer only. False, and `item` untouched, if the ring is full.
  bool push(T&& item) noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head - cached_tail_ > mask_) {
      cached_tail_ = tail_.load(std::memory_order_acquire);
      if (head - cached_tail_ > mask_) return false;
    }
    slots_[head & mask_] = std::move(item);
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  /// Consumer only. False if the ring is empty.
  bool pop(T& item) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == cached_head_) {
      cached_head_ = head_.load(std::memory_order_acquire);
      if (tail == cached_head_) return false;
    }
    item = std::move(slots_[tail & mask_]);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// A hint while the other side is running: it may have changed already.
  std::size_t size() const noexcept {
    const std::size_t tail = tail_.load(std::memory_order_acquire);
    return head_.load(std::memory_order_acquire) - tail;
  }
  bool empty() const noexcept { return size() == 0; }

 private:
  const std::size_t mask_;
  const std::unique_ptr<T[]> slots_;
  alignas(64) std::atomic<std::size_t> head_{0};  // written by the producer
  std::size_t cached_tail_ = 0;
  alignas(64) std::atomic<std::size_t> tail_{0};  // written by the consumer
  std::size_t cached_head_ = 0;
};

}  // namespace tw
