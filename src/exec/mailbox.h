// Messages from any thread to one context. Control plane only, so a lock is cheap enough; what a
// context does on every turn, asking whether there is anything at all, takes none.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "base/assert.h"
#include "exec/context.h"

namespace tw {

/// A bounded queue, many producers and one consumer, first in first out. Allocates once, here.
class Mailbox {
 public:
  explicit Mailbox(std::size_t capacity)
      : capacity_(capacity), slots_(std::make_unique<Message[]>(capacity)) {
    TW_ASSERT(capacity > 0);
  }

  /// Any thread. False, and `message` untouched, if the mailbox is full or closed.
  bool push(Message&& message) noexcept {
    const std::lock_guard lock{mutex_};
    const std::size_t count = count_.load(std::memory_order_relaxed);
    if (closed_ || count == capacity_) return false;
    slots_[(first_ + count) % capacity_] = std::move(message);
    count_.store(count + 1, std::memory_order_release);
    return true;
  }

  /// Consumer only. False if there is none.
  bool pop(Message& message) noexcept {
    if (empty()) return false;
    const std::lock_guard lock{mutex_};
    message = std::move(slots_[first_]);
    first_ = (first_ + 1) % capacity_;
    count_.store(count_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    return true;
  }

  /// Any thread, without the lock.
  bool empty() const noexcept { return count_.load(std::memory_order_acquire) == 0; }
  std::size_t size() const noexcept { return count_.load(std::memory_order_acquire); }

  /// From now on push() refuses. What was taken before stays for pop(): a message that push()
  /// accepted is never lost.
  void close() noexcept {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }

 private:
  const std::size_t capacity_;
  const std::unique_ptr<Message[]> slots_;
  std::mutex mutex_;
  std::size_t first_ = 0;              // by the lock
  bool closed_ = false;                // by the lock
  std::atomic<std::size_t> count_{0};  // written by the lock, read without
};

}  // namespace tw
