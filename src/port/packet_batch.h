// A batch of trains, with or without buffers of its own. A port receives into the buffers; what is
// sent may point anywhere, so that a segment decrypted where it lies can be written to the TUN
// without a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/assert.h"
#include "port/train.h"

namespace tw {

class PacketBatch {
 public:
  /// Free bytes before and behind each buffer: a WireGuard header, a vnet header, a tag and padding
  /// fit without moving the packet.
  static constexpr std::size_t headroom = 64;
  static constexpr std::size_t tailroom = 64;

  /// A batch that only borrows: for sending.
  explicit PacketBatch(std::size_t capacity) : PacketBatch(capacity, 0) {}
  /// A batch with `capacity` buffers of `buffer_bytes` each: for receiving. Allocates once, here.
  /// It is full when it holds `byte_limit`, too, so that long trains leave the cache as late as
  /// short packets do, or `segment_limit`, so that trains of many short ones keep nobody waiting.
  PacketBatch(std::size_t capacity, std::size_t buffer_bytes,
              std::size_t byte_limit = std::numeric_limits<std::size_t>::max(),
              std::size_t segment_limit = std::numeric_limits<std::size_t>::max())
      : capacity_(capacity),
        byte_limit_(byte_limit),
        segment_limit_(segment_limit),
        buffer_bytes_(buffer_bytes),
        stride_(buffer_bytes == 0 ? 0 : headroom + buffer_bytes + tailroom),
        // Left uninitialised: a page that no packet has reached costs no memory.
        storage_(stride_ == 0 ? nullptr : new std::uint8_t[stride_ * capacity]) {
    trains_.reserve(capacity);
  }

  std::size_t size() const noexcept { return trains_.size(); }
  bool empty() const noexcept { return trains_.empty(); }
  /// Trains that may still be appended; 0 also if bytes or segments are too many by now.
  std::size_t room() const noexcept {
    return bytes_ < byte_limit_ && segments_ < segment_limit_ ? free_buffers() : 0;
  }
  std::size_t buffer_bytes() const noexcept { return buffer_bytes_; }

  /// The buffer that the `ahead`-th train appended from now would use (0: the next): a port lets
  /// the kernel write there, then appends the trains it got, in order.
  ByteSpan buffer(std::size_t ahead = 0) noexcept {
    TW_ASSERT(storage_ != nullptr && ahead < free_buffers());
    return {storage_.get() + (trains_.size() + ahead) * stride_ + headroom, buffer_bytes_};
  }
  Train& append(const Train& train) noexcept {
    TW_ASSERT(trains_.size() < capacity_);
    bytes_ += train.length;
    segments_ += train.segments();
    return trains_.emplace_back(train);
  }

  Train& operator[](std::size_t index) noexcept { return trains_[index]; }
  const Train& operator[](std::size_t index) const noexcept { return trains_[index]; }
  std::span<Train> trains() noexcept { return trains_; }
  std::span<const Train> trains() const noexcept { return trains_; }
  /// Forgets all trains; the buffers may be written again.
  void clear() noexcept {
    trains_.clear();
    bytes_ = segments_ = 0;
  }

 private:
  std::size_t free_buffers() const noexcept { return capacity_ - trains_.size(); }

  std::size_t capacity_;
  std::size_t byte_limit_, segment_limit_;
  std::size_t bytes_ = 0, segments_ = 0;
  std::size_t buffer_bytes_;
  std::size_t stride_;
  std::unique_ptr<std::uint8_t[]> storage_;
  std::vector<Train> trains_;
};

}  // namespace tw
