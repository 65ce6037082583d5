#include "wg/source_limiter.h"

#include <algorithm>

#include "crypto/primitives.h"
#include "wire/be.h"

namespace tw::wg {

SourceLimiter::SourceLimiter(RandomSource& random) : full_at_(source_slots) {
  for (std::size_t at = 0; at < key_.size(); at += 8) store_le64(key_, at, random.next());
}

bool SourceLimiter::allow(const IpAddress& source, Instant now) noexcept {
  const ByteView network = source.is_v4() ? source.bytes() : source.bytes().first(8);
  const auto hash = crypto::blake2s_mac(key_, network);
  Instant& full_at = full_at_[load_le64(hash, 0) % full_at_.size()];
  const Instant after = std::max(full_at, now) + source_interval;
  if (after - now > source_burst * source_interval) return false;
  full_at = after;
  return true;
}

}  // namespace tw::wg
