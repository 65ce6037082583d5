#include "port/kernel/kernel_ring.h"

#include <linux/bpf.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "base/assert.h"

namespace tw {
namespace {

constexpr std::uint64_t alignment = 8;

std::uint64_t room_of(std::uint32_t length) noexcept {
  return (std::uint64_t{BPF_RINGBUF_HDR_SZ} + length + alignment - 1) / alignment * alignment;
}

}  // namespace

Result<KernelRing> KernelRing::open(int map_fd, std::size_t bytes) {
  TW_ASSERT(bytes > 0 && (bytes & (bytes - 1)) == 0);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  Result<SharedMemory> consumer = SharedMemory::map(map_fd, page, SharedMemory::Access::write);
  if (!consumer) return std::unexpected(consumer.error());
  Result<SharedMemory> producer =
      SharedMemory::map(map_fd, page + 2 * bytes, SharedMemory::Access::read, page);
  if (!producer) return std::unexpected(producer.error());
  return KernelRing{std::move(*consumer), std::move(*producer), bytes, page};
}

std::uint64_t KernelRing::produced() const noexcept {
  return std::atomic_ref{*static_cast<std::uint64_t*>(producer_.get())}.load(
      std::memory_order_acquire);
}

void KernelRing::release(std::uint64_t position) noexcept {
  position_ = position;
  std::atomic_ref{*static_cast<std::uint64_t*>(consumer_.get())}.store(position,
                                                                       std::memory_order_release);
}

bool KernelRing::empty() const noexcept { return produced() == position_; }

bool KernelRing::pop(std::span<std::byte> into) noexcept {
  const std::uint64_t produced_to = produced();
  while (position_ != produced_to) {
    std::byte* const record =
        static_cast<std::byte*>(producer_.get()) + page_ + (position_ & (bytes_ - 1));
    const std::uint32_t word =
        std::atomic_ref{*reinterpret_cast<std::uint32_t*>(record)}.load(std::memory_order_acquire);
    if ((word & BPF_RINGBUF_BUSY_BIT) != 0) return false;
    const std::uint32_t length = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    if (room_of(length) > produced_to - position_) {  // not as the kernel writes it
      release(produced_to);
      return false;
    }
    const bool ours = length == into.size() && (word & BPF_RINGBUF_DISCARD_BIT) == 0;
    if (ours) std::memcpy(into.data(), record + BPF_RINGBUF_HDR_SZ, length);
    release(position_ + room_of(length));
    if (ours) return true;
  }
  return false;
}

}  // namespace tw
