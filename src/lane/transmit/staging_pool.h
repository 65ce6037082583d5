// Packets that wait for a handshake: copies, in slots that all peers of a lane share, in a queue a
// peer. Bounded thrice: by the pool, by wg::staged_packets_max a peer, and by wg::staged_wait_max.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace tw::lane {

class StagingPool {
 public:
  /// One peer's waiting packets, oldest first.
  struct Queue {
    std::uint32_t head = none, tail = none;
    std::uint32_t count = 0;
  };

  /// `slots` packets of up to `packet_bytes` each. Allocates once; untouched slots cost no memory.
  StagingPool(std::size_t slots, std::size_t packet_bytes);

  /// A slot behind the others, to be filled with a packet of `length` bytes, at least one. Empty,
  /// and nothing kept, if no slot is free or the packet is too long for one.
  ByteSpan push(Queue& queue, std::size_t length, Instant now) noexcept;
  /// Frees the oldest slot. The queue must not be empty.
  void drop_oldest(Queue& queue) noexcept;
  /// Frees the slots of packets that came at `last` or before; returns how many there were.
  std::size_t drop_until(Queue& queue, Instant last) noexcept;
  /// When the oldest packet came. The queue must not be empty.
  Instant oldest(const Queue& queue) const noexcept;
  /// Frees all slots; returns how many there were.
  std::size_t drop_all(Queue& queue) noexcept;

  /// Calls visit(packet) for each, oldest first. The bytes stay the pool's.
  template <typename Visitor>
  void for_each(const Queue& queue, Visitor&& visit) noexcept {
    for (std::uint32_t slot = queue.head; slot != none; slot = next_[slot]) visit(packet(slot));
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  ByteSpan packet(std::uint32_t slot) noexcept;

  std::size_t packet_bytes_;
  std::unique_ptr<std::uint8_t[]> storage_;
  std::vector<std::uint32_t> next_;  // of a queue, or of the free list
  std::vector<std::uint32_t> length_;
  std::vector<Instant> since_;
  std::uint32_t free_ = none;
};

}  // namespace tw::lane
