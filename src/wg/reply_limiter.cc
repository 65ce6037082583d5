#include "wg/reply_limiter.h"

#include <algorithm>

namespace tw::wg {
namespace {

/// The half of the hash that does not choose the slot; never 0, which is an empty one.
std::uint32_t mark_of(std::uint64_t hash) noexcept {
  return static_cast<std::uint32_t>(hash >> 32U) | 1U;
}

}  // namespace

ReplyLimiter::ReplyLimiter(RandomSource& random) : known_(known_source_slots), each_known_(random) {
  for (std::uint64_t& word : key_) word = random.next();
}

void ReplyLimiter::remember(const IpAddress& source) noexcept {
  const std::uint64_t hash = hash_of_source(key_, source);
  known_[hash % known_.size()] = mark_of(hash);
}

bool ReplyLimiter::allow(const IpAddress& source, Instant now) noexcept {
  const std::uint64_t hash = hash_of_source(key_, source);
  if (known_[hash % known_.size()] == mark_of(hash)) return each_known_.allow(source, now);
  const Instant after = std::max(strangers_full_at_, now) + stranger_reply_interval;
  if (after - now > stranger_reply_burst * stranger_reply_interval) return false;
  strangers_full_at_ = after;
  return true;
}

}  // namespace tw::wg
