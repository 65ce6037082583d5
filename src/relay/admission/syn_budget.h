// The budget of onward halves that begin before their clients have proved that they exist: so many
// a second for one source, so many for all. A flood of SYNs must not become a flood of connections;
// a connection over the budget waits for its handshake, as without early SYN.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "relay/admission/principal.h"
#include "relay/settings.h"
#include "wire/address.h"

namespace tw::relay {

/// A token bucket as one instant: when it will be full again (GCRA, ITU-T I.371).
class TokenBucket {
 public:
  /// True if a token is there. `rate` a second, `burst` at once; both at least 1. Takes nothing.
  bool has_token(std::uint32_t rate, std::uint32_t burst, Instant now) const noexcept;
  /// Only if has_token().
  void take(std::uint32_t rate, Instant now) noexcept;

 private:
  Instant full_at_{};
};

class SynBudget {
 public:
  SynBudget();
  /// Takes a token of the client and one of all; false, and neither
  /// taken, if one is missing. Costs a hash.
  bool allow(const Principal& client, const EarlySynSettings& settings, Instant now) noexcept;

 private:
  /// Sources that share a bucket share its tokens: with 8,192 a thousand busy ones rarely do.
  static constexpr std::size_t source_buckets = 8192;
  TokenBucket total_;
  std::vector<TokenBucket> by_source_;
};

}  // namespace tw::relay
