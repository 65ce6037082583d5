#include "wg/reply_limiter.h"

#include "wg/protocol.h"

namespace tw::wg {
namespace {

constexpr std::uint64_t all = 0;  // the only bucket there is

}  // namespace

ReplyLimiter::ReplyLimiter(RandomSource& random)
    : hash_(random),
      known_endpoints_(known_source_slots),
      known_networks_(known_source_slots),
      each_known_endpoint_(source_slots, source_interval, source_burst),
      each_known_network_(source_slots, source_interval, source_burst),
      each_endpoint_(stranger_slots, stranger_endpoint_interval, 1),
      each_network_(stranger_slots, stranger_network_interval, stranger_network_burst),
      modest_(1, stranger_reply_interval, stranger_reply_burst),
      others_(1, other_reply_interval, other_reply_burst) {}

void ReplyLimiter::remember(const Endpoint& source) noexcept {
  const SourceHash hash = hash_(source);
  known_endpoints_.remember(hash.endpoint);
  known_networks_.remember(hash.network);
}

bool ReplyLimiter::allow(const Endpoint& source, Instant now) noexcept {
  const SourceHash hash = hash_(source);
  if (known_endpoints_.has(hash.endpoint) && each_known_endpoint_.try_take(hash.endpoint, now)) {
    return true;
  }
  if (known_networks_.has(hash.network) && each_known_network_.try_take(hash.network, now)) {
    return true;
  }
  if (each_endpoint_.has_token(hash.endpoint, now) && each_network_.has_token(hash.network, now) &&
      modest_.try_take(all, now)) {
    each_endpoint_.take(hash.endpoint, now);
    each_network_.take(hash.network, now);
    return true;
  }
  return others_.try_take(all, now);
}

}  // namespace tw::wg
