// Blocks of one size, in chunks of pages of their own: a chunk goes back to the kernel when its
// last block does, where a heap would keep the pages for whatever lies between. For what comes and
// goes by the thousands. The pages are left out of core dumps, so that keys may lie in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace tw {

/// Any thread. A mutex is taken, so not for what is allocated per packet.
class PageSlab {
 public:
  static constexpr std::size_t chunk_bytes = std::size_t{64} << 10U;

  /// Blocks of `block_bytes`, at most a quarter of a chunk, aligned to 16.
  explicit PageSlab(std::size_t block_bytes) noexcept;
  /// All blocks must be back.
  ~PageSlab();
  PageSlab(const PageSlab&) = delete;
  PageSlab& operator=(const PageSlab&) = delete;

  /// A block, its content of no meaning; null if the kernel has no memory. Allocates once in many.
  void* take() noexcept;
  /// A block of take(). Its content is lost.
  void give_back(void* block) noexcept;
  /// Returns the size of the memory that is the slab's now. One chunk is kept though it is empty.
  std::size_t bytes() const noexcept;

 private:
  struct Chunk;
  Chunk* make_chunk() noexcept;
  void unmap(Chunk* chunk) noexcept;
  void link(Chunk* chunk) noexcept;
  void unlink(Chunk* chunk) noexcept;

  const std::size_t block_bytes_;
  const std::uint32_t blocks_;  // of a chunk
  mutable std::mutex mutex_;
  Chunk* open_ = nullptr;   // chunks with a free block
  Chunk* spare_ = nullptr;  // the one of them that is empty, if any
  std::size_t chunks_ = 0;
};

}  // namespace tw
