// Limits the cookie replies that leave while we are under load. Each costs us a sealing and a send,
// and sources are easily forged, so there is an end to them. Who may have one is asked in this
// order, and each has a share that those after it cannot use up:
//   1. whoever has had a handshake from the same address and port before;
//   2. whoever has had one from the same address (behind a NAT the port changes);
//   3. a stranger who has not asked lately, of an address of which not many ask;
//   4. everybody else, one as good as another: a flood from the very address of an honest peer,
//   even
//      from its port, has to leave it a part, because nothing tells them apart before the cookie.
#pragma once

#include "base/hash_marks.h"
#include "base/random.h"
#include "base/time.h"
#include "wg/source_hash.h"
#include "wg/token_buckets.h"
#include "wire/address.h"

namespace tw::wg {

/// Has a fixed size: a source that finds its place taken by another is a stranger again.
class ReplyLimiter {
 public:
  explicit ReplyLimiter(RandomSource& random);

  /// A handshake with this source has completed.
  void remember(const Endpoint& source) noexcept;
  /// Takes a reply from what the source may have. False if that is used up. Cost: two hashes.
  bool allow(const Endpoint& source, Instant now) noexcept;

 private:
  SourceHasher hash_;
  HashMarks known_endpoints_, known_networks_;
  TokenBuckets each_known_endpoint_, each_known_network_;
  TokenBuckets each_endpoint_, each_network_, modest_;  // strangers, one by one and together
  TokenBuckets others_;
};

}  // namespace tw::wg
