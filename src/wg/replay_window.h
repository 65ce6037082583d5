// Remembers which counters of a keypair were seen: a sliding bitmap that never shifts.
#pragma once

#include <array>
#include <cstdint>

#include "wg/protocol.h"

namespace tw::wg {

/// Accepts each counter of a keypair at most once, within a sliding window of `window` counters.
///
///   counter   host order, as authenticated: call only after the tag has verified
///   returns   true the first time; false if repeated, or older than the window
///   limits    counters >= reject_after_messages are always refused (the keypair is spent)
///   cost      O(1); clears at most 128 words on a jump; never allocates
///   threads   only the context that owns the peer
///
/// RFC 6479 (block bitmap, no shifting); WireGuard paper, section 5.4.6.
class ReplayWindow {
 public:
  static constexpr std::uint64_t window = 8192 - 64;
  bool accept(std::uint64_t counter) noexcept;

 private:
  static constexpr std::size_t words = 128;
  std::array<std::uint64_t, words> seen_{};
  std::uint64_t top_ = 0;  // one more than the highest counter accepted
};

}  // namespace tw::wg
