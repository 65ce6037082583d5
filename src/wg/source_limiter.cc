#include "wg/source_limiter.h"

#include "wg/protocol.h"

namespace tw::wg {

SourceLimiter::SourceLimiter(RandomSource& random)
    : hash_(random),
      known_(known_source_slots),
      each_endpoint_(source_slots, source_interval, source_burst),
      each_network_(source_slots, network_interval, network_burst) {}

void SourceLimiter::remember(const Endpoint& source) noexcept {
  known_.remember(hash_(source).endpoint);
}

bool SourceLimiter::allow(const Endpoint& source, Instant now) noexcept {
  const SourceHash hash = hash_(source);
  // Both or neither: a port that sends too much must not use up what its neighbours have.
  if (!each_endpoint_.has_token(hash.endpoint, now)) return false;
  if (!known_.has(hash.endpoint) && !each_network_.try_take(hash.network, now)) return false;
  each_endpoint_.take(hash.endpoint, now);
  return true;
}

}  // namespace tw::wg
