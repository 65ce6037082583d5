// How many cookie replies leave while we are under load. Each costs us a sealing and a send, and
// sources are easily forged, so strangers have one rate for all of them; but whoever has had a
// handshake from the same address before is not to lose its next one in a flood of those, and has a
// rate of its own.
#pragma once

#include "base/hash_marks.h"
#include "base/random.h"
#include "base/time.h"
#include "wg/protocol.h"
#include "wg/source_limiter.h"
#include "wire/address.h"

namespace tw::wg {

/// Of fixed size: a source that finds its place taken by another is a stranger again.
class ReplyLimiter {
 public:
  explicit ReplyLimiter(RandomSource& random);

  /// A handshake with this source has completed.
  void remember(const IpAddress& source) noexcept;
  /// Takes a reply from what the source may have. False if that is used up. Cost: two hashes.
  bool allow(const IpAddress& source, Instant now) noexcept;

 private:
  SourceKey key_{};
  HashMarks known_;
  SourceLimiter each_known_;
  Instant strangers_full_at_;  // when their bucket has all its tokens again
};

}  // namespace tw::wg
