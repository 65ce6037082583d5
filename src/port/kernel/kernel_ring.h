// The reader's end of a BPF ring buffer: records that a program in the kernel has left, one after
// the other, without a system call. libbpf's own reader takes all there are and calls back; here
// the caller says when it wants one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/result.h"
#include "port/kernel/bpf_object.h"

namespace tw {

/// One reader. Layout: Linux, kernel/bpf/ringbuf.c.
class KernelRing {
 public:
  /// `map_fd`: a BPF_MAP_TYPE_RINGBUF of `bytes` (a power of two). Keeps no descriptor.
  static Result<KernelRing> open(int map_fd, std::size_t bytes);

  /// Copies the oldest record; false if there is none that is complete. Records of another size
  /// than `into` are no business of ours and passed over.
  bool pop(std::span<std::byte> into) noexcept;
  /// False also while a record is being written, which pop() does not take yet.
  bool empty() const noexcept;

 private:
  KernelRing(SharedMemory consumer, SharedMemory producer, std::size_t bytes,
             std::size_t page) noexcept
      : consumer_(std::move(consumer)),
        producer_(std::move(producer)),
        bytes_(bytes),
        page_(page) {}
  std::uint64_t produced() const noexcept;
  void release(std::uint64_t position) noexcept;

  SharedMemory consumer_;  // a page: how far we have read
  SharedMemory producer_;  // a page: how far is written; then the records, mapped twice in a row
  std::size_t bytes_, page_;
  std::uint64_t position_ = 0;  // what we have told in consumer_
};

}  // namespace tw
