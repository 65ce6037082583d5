#include "wg/reply_limiter.h"

#include <algorithm>

namespace tw::wg {

ReplyLimiter::ReplyLimiter(RandomSource& random) : known_(known_source_slots), each_known_(random) {
  for (std::uint64_t& word : key_) word = random.next();
}

void ReplyLimiter::remember(const IpAddress& source) noexcept {
  known_.remember(hash_of_source(key_, source));
}

bool ReplyLimiter::allow(const IpAddress& source, Instant now) noexcept {
  if (known_.has(hash_of_source(key_, source))) return each_known_.allow(source, now);
  const Instant after = std::max(strangers_full_at_, now) + stranger_reply_interval;
  if (after - now > stranger_reply_burst * stranger_reply_interval) return false;
  strangers_full_at_ = after;
  return true;
}

}  // namespace tw::wg
