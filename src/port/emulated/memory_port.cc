#include "port/emulated/memory_port.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"

namespace tw {

std::size_t MemoryPort::poll(PacketBatch& batch) noexcept {
  std::size_t count = 0;
  for (; !waiting_.empty() && batch.room() > 0; ++count) {
    Owned& next = waiting_.front();
    TW_ASSERT(next.bytes.size() <= batch.buffer_bytes());
    next.train.bytes = batch.buffer().data();
    std::ranges::copy(next.bytes, next.train.bytes);
    batch.append(next.train);
    waiting_.pop_front();
  }
  return count;
}

SendResult MemoryPort::send(std::span<const Train> trains) noexcept {
  TW_ASSERT(far_ != nullptr);
  SendResult result;
  for (const Train& train : trains) {
    if (refusal_ != 0 || far_->waiting_.size() >= far_->capacity_) {
      result.os_errno = refusal_ != 0 ? refusal_ : EAGAIN;
      break;
    }
    if (train_refusal_ != 0 && train.vnet.gso_type != VnetHeader::gso_none) {
      result.os_errno = train_refusal_;
      if (train_refusal_ == EINVAL) {
        result.unsupported = true;
        const bool is_udp = train.vnet.gso_type == VnetHeader::gso_udp_l4;
        (is_udp ? capabilities_.udp_trains : capabilities_.tcp_trains) = false;
      }
      break;
    }
    Train taken = train;
    const bool in_part = partial_refusal_ != 0;
    if (in_part) {
      result.partial = std::min(partial_, train.segments() - 1);
      result.os_errno = std::exchange(partial_refusal_, 0);
      taken.length = static_cast<std::uint32_t>(result.partial * train.segment_size);
    }
    if (in_part && result.partial == 0) break;
    const ByteSpan bytes = taken.all();
    Owned& owned = far_->waiting_.emplace_back(taken, std::vector(bytes.begin(), bytes.end()));
    owned.train.bytes = owned.bytes.data();
    if (in_part) break;
    ++result.taken;
  }
  return result;
}

}  // namespace tw
