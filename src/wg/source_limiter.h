// Limits how often one source has handshakes processed while we are under load. A cookie proves
// that the source receives at its address and port; this keeps their owner from using up the curve
// operations that are left (whitepaper, section 5.3, last paragraph). The paper counts by address.
// Then one client behind a NAT keeps all the others from a handshake; so each port has that rate,
// all of an address have some times it, and whoever has had a handshake from the same address and
// port before is asked for its own only.
#pragma once

#include <cstdint>

#include "base/hash_marks.h"
#include "base/random.h"
#include "base/time.h"
#include "wg/source_hash.h"
#include "wg/token_buckets.h"
#include "wire/address.h"

namespace tw::wg {

/// Has a fixed size: a source that finds its place taken by another is a stranger again.
class SourceLimiter {
 public:
  explicit SourceLimiter(RandomSource& random);

  /// A handshake with this source has completed.
  void remember(const Endpoint& source) noexcept;
  /// Takes a token of that source. False if there is none. Cost: two hashes.
  bool allow(const Endpoint& source, Instant now) noexcept;

 private:
  SourceHasher hash_;
  HashMarks known_;
  TokenBuckets each_endpoint_, each_network_;
};

}  // namespace tw::wg
