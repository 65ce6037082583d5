// A bounded ring to a context that may be asleep: the producer rings a descriptor, but only if the
// consumer has said that it sleeps. A wake-up takes 12 us of the waker's time, so never one an
// item.
#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/result.h"
#include "base/spsc_ring.h"
#include "base/unique_fd.h"

namespace tw {

template <typename T>
class WakingRing {
 public:
  /// Fails if descriptors have run out.
  static Result<std::unique_ptr<WakingRing>> open(std::size_t capacity) {
    UniqueFd wake_event{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (!wake_event) return system_error("eventfd");
    return std::unique_ptr<WakingRing>{new WakingRing{std::move(wake_event), capacity}};
  }

  /// Producer only. False, and `item` untouched, if the ring is full.
  bool push(T&& item) noexcept {
    if (!ring_.push(std::move(item))) return false;
    // Either the consumer's look at the ring in arm() sees the item, or this sees it asleep.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false)) {
      static_cast<void>(::eventfd_write(wake_event_.get(), 1));
    }
    return true;
  }

  /// Consumer only. False if the ring is empty.
  bool pop(T& item) noexcept { return ring_.pop(item); }
  /// Consumer only, before it sleeps: false if there is an item already. Until the next push() the
  /// producer rings fd().
  bool arm() noexcept {
    asleep_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (ring_.empty()) return true;
    disarm();
    return false;
  }
  /// Consumer only, when it is awake again.
  void disarm() noexcept { asleep_.store(false, std::memory_order_relaxed); }
  /// Readable after a ring, and never read: watch it edge-triggered.
  int fd() const noexcept { return wake_event_.get(); }

 private:
  WakingRing(UniqueFd wake_event, std::size_t capacity)
      : wake_event_(std::move(wake_event)), ring_(capacity) {}

  UniqueFd wake_event_;
  SpscRing<T> ring_;
  alignas(64) std::atomic<bool> asleep_{false};
};

}  // namespace tw
