#include "lane/peers/index_allocator.h"

namespace tw::lane {

std::optional<std::uint32_t> IndexAllocator::allocate(wg::PeerId peer) noexcept {
  const Bucket bucket = bucket_of(peer);
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::uint32_t index = codec_.encode(bucket, static_cast<std::uint32_t>(random_.next()));
    if (in_use_.insert(index).second) return index;
  }
  return std::nullopt;
}

void IndexAllocator::release(std::uint32_t index) noexcept { in_use_.erase(index); }

}  // namespace tw::lane
