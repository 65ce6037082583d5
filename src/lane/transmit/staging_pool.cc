#include "lane/transmit/staging_pool.h"

#include "base/assert.h"

namespace tw::lane {

StagingPool::StagingPool(std::size_t slots, std::size_t packet_bytes)
    : packet_bytes_(packet_bytes),
      storage_(new std::uint8_t[packet_bytes * slots]),
      next_(slots),
      length_(slots),
      since_(slots) {
  TW_ASSERT(slots > 0 && slots < none);
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    next_[slot] = slot + 1 < slots ? slot + 1 : none;
  }
  free_ = 0;
}

ByteSpan StagingPool::packet(std::uint32_t slot) noexcept {
  return {storage_.get() + slot * packet_bytes_, length_[slot]};
}

ByteSpan StagingPool::push(Queue& queue, std::size_t length, Instant now) noexcept {
  if (free_ == none || length > packet_bytes_) return {};
  const std::uint32_t slot = free_;
  free_ = next_[slot];
  length_[slot] = static_cast<std::uint32_t>(length);
  since_[slot] = now;
  next_[slot] = none;
  if (queue.tail == none) {
    queue.head = slot;
  } else {
    next_[queue.tail] = slot;
  }
  queue.tail = slot;
  ++queue.count;
  return packet(slot);
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

std::size_t StagingPool::drop_until(Queue& queue, Instant last) noexcept {
  std::size_t dropped = 0;
  for (; queue.count > 0 && oldest(queue) <= last; ++dropped) drop_oldest(queue);
  return dropped;
}

Instant StagingPool::oldest(const Queue& queue) const noexcept {
  TW_ASSERT(queue.count > 0);
  return since_[queue.head];
}

std::size_t StagingPool::drop_all(Queue& queue) noexcept {
  const std::size_t dropped = queue.count;
  while (queue.count > 0) drop_oldest(queue);
  return dropped;
}

}  // namespace tw::lane
