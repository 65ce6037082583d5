// A queue of records of any size in one piece of memory: what a delayed packet waits in. Each
// record lies in one piece, so it can be written and read in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/bytes.h"

namespace tw {

/// Allocates `capacity` bytes once, untouched: memory no record has reached costs nothing. An empty
/// queue begins again at the front, so that a short one stays in the cache.
class ByteFifo {
 public:
  explicit ByteFifo(std::size_t capacity)
      : capacity_(capacity), bytes_(new std::uint8_t[capacity]) {}

  /// Room for one more record of `size` bytes, which the caller fills; empty if there is none.
  ByteSpan push(std::size_t size) noexcept {
    const std::size_t whole = size_bytes + size;
    if (count_ == 0) head_ = tail_ = 0;
    if (tail_ >= head_) {
      if (capacity_ - tail_ < whole) {
        if (head_ <= whole) return {};
        end_ = tail_;  // the rest of the memory stays unused this time round
        tail_ = 0;
      }
    } else if (head_ - tail_ <= whole) {
      return {};
    }
    std::memcpy(bytes_.get() + tail_, &size, size_bytes);
    const ByteSpan record{bytes_.get() + tail_ + size_bytes, size};
    tail_ += whole;
    ++count_;
    return record;
  }

  bool empty() const noexcept { return count_ == 0; }
  /// The oldest record. There must be one.
  ByteSpan front() const noexcept {
    TW_ASSERT(count_ > 0);
    std::size_t size = 0;
    std::memcpy(&size, bytes_.get() + head_, size_bytes);
    return {bytes_.get() + head_ + size_bytes, size};
  }
  void pop() noexcept {
    head_ += size_bytes + front().size();
    --count_;
    if (head_ == end_ && tail_ < head_) {
      head_ = 0;
      end_ = no_end;
    }
  }

 private:
  static constexpr std::size_t size_bytes = sizeof(std::size_t);
  static constexpr std::size_t no_end = SIZE_MAX;

  std::size_t capacity_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t head_ = 0, tail_ = 0;  // of the oldest record, behind the newest
  std::size_t end_ = no_end;         // where the records before the wrap end
  std::size_t count_ = 0;
};

}  // namespace tw
