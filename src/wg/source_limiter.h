// How often one source may have handshakes processed while we are under load. A cookie proves that
// the source receives at its address; this keeps the owner of an address from using up the curve
// operations that are left (whitepaper, section 5.3, last paragraph).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "wg/protocol.h"
#include "wire/address.h"

namespace tw::wg {

using SourceKey = std::array<std::uint64_t, 4>;
/// A keyed hash of an IPv4 address or the /64 of an IPv6 one: nobody outside knows who shares a
/// slot with whom.
std::uint64_t hash_of_source(const SourceKey& key, const IpAddress& source) noexcept;

/// A token bucket for each IPv4 address or IPv6 /64, in a table of fixed size: an address finds its
/// slot by a keyed hash, and shares it with another only while that one is busy too.
class SourceLimiter {
 public:
  explicit SourceLimiter(RandomSource& random);
  /// Takes a token of that source. False if there is none. Cost: one hash.
  bool allow(const IpAddress& source, Instant now) noexcept;

 private:
  SourceKey key_{};
  std::vector<Instant> full_at_;  // when a slot's bucket has all its tokens again
};

}  // namespace tw::wg
