#include "lane/staging_pool.h"

#include <algorithm>

#include "base/assert.h"
#include "port/packet_batch.h"

namespace tw::lane {

StagingPool::StagingPool(std::size_t slots, std::size_t packet_bytes)
    : packet_bytes_(packet_bytes),
      stride_(PacketBatch::headroom + packet_bytes + PacketBatch::tailroom),
      storage_(new std::uint8_t[stride_ * slots]),
      next_(slots),
      length_(slots) {
  TW_ASSERT(slots > 0 && slots < none);
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    next_[slot] = slot + 1 < slots ? slot + 1 : none;
  }
  free_ = 0;
}

ByteSpan StagingPool::packet(std::uint32_t slot) noexcept {
  return {storage_.get() + slot * stride_ + PacketBatch::headroom, length_[slot]};
}

bool StagingPool::push(Queue& queue, ByteView packet_bytes) noexcept {
  if (free_ == none || packet_bytes.size() > packet_bytes_) return false;
  const std::uint32_t slot = free_;
  free_ = next_[slot];
  length_[slot] = static_cast<std::uint32_t>(packet_bytes.size());
  next_[slot] = none;
  std::copy(packet_bytes.begin(), packet_bytes.end(), packet(slot).begin());
  if (queue.tail == none) {
    queue.head = slot;
  } else {
    next_[queue.tail] = slot;
  }
  queue.tail = slot;
  ++queue.count;
  return true;
}

void StagingPool::drop_oldest(Queue& queue) noexcept {
  TW_ASSERT(queue.count > 0);
  const std::uint32_t slot = queue.head;
  queue.head = next_[slot];
  if (queue.head == none) queue.tail = none;
  --queue.count;
  next_[slot] = free_;
  free_ = slot;
}

std::size_t StagingPool::drop_all(Queue& queue) noexcept {
  const std::size_t dropped = queue.count;
  while (queue.count > 0) drop_oldest(queue);
  return dropped;
}

}  // namespace tw::lane
