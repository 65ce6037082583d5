#include "wg/source_limiter.h"

#include <algorithm>
#include <bit>

#include "crypto/primitives.h"
#include "wire/be.h"

namespace tw::wg {

SourceLimiter::SourceLimiter(RandomSource& random) : full_at_(source_slots) {
  for (std::uint64_t& word : key_) word = random.next();
}

std::uint64_t hash_of_source(const SourceKey& key, const IpAddress& source) noexcept {
  const ByteView network = source.is_v4() ? source.bytes() : source.bytes().first(8);
  const auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof key>>(key);
  return load_le64(crypto::blake2s_mac(bytes, network), 0);
}

bool SourceLimiter::allow(const IpAddress& source, Instant now) noexcept {
  Instant& full_at = full_at_[hash_of_source(key_, source) % full_at_.size()];
  const Instant after = std::max(full_at, now) + source_interval;
  if (after - now > source_burst * source_interval) return false;
  full_at = after;
  return true;
}

}  // namespace tw::wg
