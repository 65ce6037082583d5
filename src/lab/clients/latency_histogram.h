// Latencies in buckets whose width grows with the value, as HdrHistogram (Gil Tene) has them: 128
// to a power of two, so that every percentile is within 0.8 % whether it is 20 µs or 2 s.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"

namespace tw::lab {

class LatencyHistogram {
 public:
  LatencyHistogram() : counts_(buckets) {}

  /// Negative ones count as zero. Never allocates.
  void record(Duration latency) noexcept;
  std::uint64_t count() const noexcept { return count_; }
  /// The least latency that `share` (0 to 1) of the samples do not exceed, rounded up to its
  /// bucket's end but not beyond max(); zero without samples.
  Duration percentile(double share) const noexcept;
  Duration max() const noexcept { return Duration{max_}; }

 private:
  static constexpr unsigned sub_bits = 7;
  static constexpr std::uint64_t linear = std::uint64_t{2} << sub_bits;  // below: one a nanosecond
  static constexpr std::size_t buckets = linear + (std::size_t{63 - sub_bits - 1} << sub_bits);
  static std::size_t bucket_of(std::uint64_t ns) noexcept;
  static std::uint64_t end_of(std::size_t bucket) noexcept;

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace tw::lab
