// Finds the senders of much: bytes that came lately, by sender, so that what must be dropped is
// taken from those who fill the queue. One counter for each of some buckets, all halved in equal
// steps of time: 258 numbers, nothing per peer, nothing to configure.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace tw::lane {

class ByteShares {
 public:
  static constexpr std::size_t buckets = 256;
  /// The bucket of all packets that belong to no session.
  static constexpr std::size_t strangers = buckets;
  static constexpr Duration half_life = 50ms;

  /// Peers share a bucket if their slots are the same modulo `buckets`.
  static constexpr std::size_t bucket_of(std::uint32_t slot) noexcept { return slot % buckets; }

  /// Time has passed.
  void advance(Instant now) noexcept {
    if (now - halved_at_ < half_life) return;
    // Whoever was idle for longer finds the past still halved only once, and soon gone.
    halved_at_ = now;
    for (std::uint64_t& bytes : bytes_) bytes /= 2;
    most_ /= 2;
  }
  void add(std::size_t bucket, std::size_t bytes) noexcept {
    bytes_[bucket] += bytes;
    most_ = std::max(most_, bytes_[bucket]);
  }
  /// True if it sends at least half of what the biggest sender does. That one is always among
  /// them, equals are together, and who sends little never is, however many such there are.
  bool much(std::size_t bucket) const noexcept { return bytes_[bucket] * 2 >= most_; }

 private:
  std::array<std::uint64_t, buckets + 1> bytes_{};
  std::uint64_t most_ = 0;
  Instant halved_at_;
};

}  // namespace tw::lane
