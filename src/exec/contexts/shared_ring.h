// A bounded ring between any number of producers and consumers (Dmitry Vyukov): each place has a
// number that says whose turn it is, so that nobody waits for anybody. It costs a locked
// instruction an item, which is why only execution contexts that share work have one; lanes that
// share nothing use SpscRing.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>

#include "base/assert.h"

namespace tw {

/// Holds `capacity` pointers, rounded up to a power of two. Never null ones.
template <typename T>
class SharedRing {
 public:
  explicit SharedRing(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), places_(std::make_unique<Place[]>(mask_ + 1)) {
    TW_ASSERT(capacity > 0);
    for (std::size_t i = 0; i <= mask_; ++i) places_[i].turn.store(i, std::memory_order_relaxed);
  }

  /// Any thread. False if the ring is full.
  bool push(T& item) noexcept {
    std::size_t at = head_.load(std::memory_order_relaxed);
    for (;;) {
      Place& place = places_[at & mask_];
      const std::size_t turn = place.turn.load(std::memory_order_acquire);
      if (turn == at) {
        if (!head_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) continue;
        place.item = &item;
        place.turn.store(at + 1, std::memory_order_release);
        return true;
      }
      if (turn < at) return false;
      at = head_.load(std::memory_order_relaxed);
    }
  }

  /// Any thread. Null if the ring is empty.
  T* pop() noexcept {
    std::size_t at = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Place& place = places_[at & mask_];
      const std::size_t turn = place.turn.load(std::memory_order_acquire);
      if (turn == at + 1) {
        if (!tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) continue;
        T* const item = place.item;
        place.turn.store(at + mask_ + 1, std::memory_order_release);
        return item;
      }
      if (turn < at + 1) return nullptr;
      at = tail_.load(std::memory_order_relaxed);
    }
  }

  /// A hint while others push or pop.
  bool empty() const noexcept {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  struct Place {
    std::atomic<std::size_t> turn{0};
    T* item = nullptr;
  };

  const std::size_t mask_;
  const std::unique_ptr<Place[]> places_;
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace tw
