#include "base/page_slab.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "base/assert.h"

namespace tw {
namespace {

constexpr std::size_t alignment = 16;

constexpr std::size_t aligned(std::size_t bytes) noexcept {
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

/// Lies at the start of its pages, which are aligned to their size: so a block's address tells its
/// chunk.
struct alignas(alignment) PageSlab::Chunk {
  struct Free {
    Free* next;
  };
  Chunk* next = nullptr;  // among the open ones
  Chunk* previous = nullptr;
  Free* free = nullptr;       // blocks that came back
  std::uint32_t used = 0;     // blocks that are out
  std::uint32_t touched = 0;  // blocks that were ever out: the others' pages cost nothing yet

  std::uint8_t* block(std::size_t number, std::size_t bytes) noexcept {
    return reinterpret_cast<std::uint8_t*>(this) + sizeof(Chunk) + number * bytes;
  }
  static Chunk* of(void* block) noexcept {
    auto* byte = static_cast<std::uint8_t*>(block);
    return reinterpret_cast<Chunk*>(byte - reinterpret_cast<std::uintptr_t>(byte) % chunk_bytes);
  }
};

PageSlab::PageSlab(std::size_t block_bytes) noexcept
    : block_bytes_(aligned(std::max(block_bytes, sizeof(Chunk::Free)))),
      blocks_(static_cast<std::uint32_t>((chunk_bytes - sizeof(Chunk)) / block_bytes_)) {
  TW_ASSERT(block_bytes <= chunk_bytes / 4);
}

PageSlab::~PageSlab() {
  if (spare_ != nullptr) unmap(spare_);
  TW_ASSERT(chunks_ == 0);
}

PageSlab::Chunk* PageSlab::make_chunk() noexcept {
  // Twice as much, so that an aligned chunk is in it; what lies around goes back at once.
  void* mapped =
      ::mmap(nullptr, 2 * chunk_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* begin = static_cast<std::uint8_t*>(mapped);
  const std::size_t before =
      (chunk_bytes - reinterpret_cast<std::uintptr_t>(begin) % chunk_bytes) % chunk_bytes;
  if (before > 0) ::munmap(begin, before);
  ::munmap(begin + before + chunk_bytes, chunk_bytes - before);
  static_cast<void>(::madvise(begin + before, chunk_bytes, MADV_DONTDUMP));
  ++chunks_;
  auto* chunk = new (begin + before) Chunk;
  ASAN_POISON_MEMORY_REGION(begin + before + sizeof(Chunk), chunk_bytes - sizeof(Chunk));
  link(chunk);
  return chunk;
}

void PageSlab::unmap(Chunk* chunk) noexcept {
  unlink(chunk);
  if (spare_ == chunk) spare_ = nullptr;
  --chunks_;
  ASAN_UNPOISON_MEMORY_REGION(chunk, chunk_bytes);
  ::munmap(chunk, chunk_bytes);
}

void PageSlab::link(Chunk* chunk) noexcept {
  chunk->previous = nullptr;
  chunk->next = open_;
  if (open_ != nullptr) open_->previous = chunk;
  open_ = chunk;
}

void PageSlab::unlink(Chunk* chunk) noexcept {
  (chunk->previous != nullptr ? chunk->previous->next : open_) = chunk->next;
  if (chunk->next != nullptr) chunk->next->previous = chunk->previous;
}

void* PageSlab::take() noexcept {
  const std::lock_guard lock{mutex_};
  Chunk* chunk = open_ != nullptr ? open_ : make_chunk();
  if (chunk == nullptr) return nullptr;
  if (chunk == spare_) spare_ = nullptr;
  void* block = chunk->free;
  if (block == nullptr) {
    block = chunk->block(chunk->touched++, block_bytes_);
    ASAN_UNPOISON_MEMORY_REGION(block, block_bytes_);
  } else {
    ASAN_UNPOISON_MEMORY_REGION(block, block_bytes_);
    chunk->free = chunk->free->next;
  }
  if (++chunk->used == blocks_) unlink(chunk);
  return block;
}

void PageSlab::give_back(void* block) noexcept {
  const std::lock_guard lock{mutex_};
  Chunk* chunk = Chunk::of(block);
  TW_ASSERT(chunk->used > 0);
  if (chunk->used-- == blocks_) link(chunk);
  chunk->free = new (block) Chunk::Free{chunk->free};
  ASAN_POISON_MEMORY_REGION(block, block_bytes_);
  if (chunk->used > 0) return;
  // One is kept, so that a block that comes and goes alone does not map and unmap each time.
  if (spare_ != nullptr && spare_ != chunk) return unmap(chunk);
  spare_ = chunk;
}

std::size_t PageSlab::bytes() const noexcept {
  const std::lock_guard lock{mutex_};
  return chunks_ * chunk_bytes;
}

}  // namespace tw
