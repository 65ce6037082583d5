// A bounded ring to a context that polls other things as well, and is awake most of the time: the
// producer pushes all that it has, and then wakes the context once. Beside WakingRing, whose
// consumer waits on a descriptor of the ring's own.
#pragma once

#include <cstddef>
#include <utility>

#include "base/spsc_ring.h"
#include "exec/context.h"

namespace tw {

template <typename T>
class ContextRing {
 public:
  /// `consumer` must outlive this.
  ContextRing(ExecContext& consumer, std::size_t capacity) : consumer_(consumer), ring_(capacity) {}

  /// Producer only. False, and `item` untouched, if the ring is full. wake() is to follow.
  bool push(T&& item) noexcept {
    if (!ring_.push(std::move(item))) return false;
    pushed_ = true;
    return true;
  }
  /// Producer only: the consumer polls soon, if anything has been pushed since the last time.
  void wake() noexcept {
    if (std::exchange(pushed_, false)) consumer_.wake();
  }

  /// Consumer only. False if the ring is empty.
  bool pop(T& item) noexcept { return ring_.pop(item); }
  /// Consumer: a reason not to sleep.
  bool empty() const noexcept { return ring_.empty(); }

 private:
  ExecContext& consumer_;
  SpscRing<T> ring_;
  bool pushed_ = false;
};

}  // namespace tw
