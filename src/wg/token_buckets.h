// Token buckets for more sources than there is memory for: each finds its bucket by a keyed hash,
// and shares it with another only while that one is busy too. A bucket is the time when it will be
// full again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace tw::wg {

/// 8 bytes a bucket. Nothing allocates after construction.
class TokenBuckets {
 public:
  /// Each gets a token every `interval`, and holds at most `burst`.
  TokenBuckets(std::size_t buckets, Duration interval, int burst)
      : interval_(interval), burst_(burst), full_at_(buckets) {}

  bool has_token(std::uint64_t hash, Instant now) const noexcept {
    return after(hash, now) - now <= burst_ * interval_;
  }
  /// There must be one, or the bucket owes it.
  void take(std::uint64_t hash, Instant now) noexcept { bucket(hash) = after(hash, now); }
  /// False, and nothing taken, if there is none.
  bool try_take(std::uint64_t hash, Instant now) noexcept {
    if (!has_token(hash, now)) return false;
    take(hash, now);
    return true;
  }

 private:
  Instant& bucket(std::uint64_t hash) noexcept { return full_at_[hash % full_at_.size()]; }
  Instant after(std::uint64_t hash, Instant now) const noexcept {
    return std::max(full_at_[hash % full_at_.size()], now) + interval_;
  }

  Duration interval_;
  int burst_;
  std::vector<Instant> full_at_;
};

}  // namespace tw::wg
