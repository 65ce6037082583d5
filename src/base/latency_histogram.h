// Latencies in buckets whose width grows with the value, as HdrHistogram (Gil Tene) has them: 128
// to a power of two, so that every percentile is within 0.8 % whether it is 20 µs or 2 s. Fewer
// where many histograms are kept: 32 are within 3.2 %.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace tw {

class LatencyHistogram {
 public:
  /// 2^`sub_bits` buckets to a power of two: 1 to 10. Takes (65 - sub_bits) x 2^sub_bits x 8 bytes.
  explicit LatencyHistogram(unsigned sub_bits);
  LatencyHistogram() : LatencyHistogram(7) {}

  /// Negative ones count as zero. Never allocates.
  void record(Duration latency) noexcept;
  std::uint64_t count() const noexcept { return count_; }
  /// Returns the sum of all samples, in nanoseconds; wraps after 584 years.
  std::uint64_t sum_ns() const noexcept { return sum_ns_; }
  /// The least latency that `share` (0 to 1) of the samples do not exceed, rounded up to its
  /// bucket's end but not beyond max(); zero without samples.
  Duration percentile(double share) const noexcept;
  Duration max() const noexcept { return Duration{max_}; }

  /// Calls visit(end, count) for each bucket that has samples, from the least on: `count` of them
  /// do not exceed `end`, and exceed the bucket before. Every power of two, less 1 ns, is an end.
  template <typename Visitor>
  void for_each_bucket(Visitor&& visit) const {
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      if (counts_[bucket] == 0) continue;
      visit(Duration{static_cast<std::int64_t>(end_of(bucket))}, counts_[bucket]);
    }
  }

 private:
  // Below this a bucket is one nanosecond.
  std::uint64_t linear() const noexcept { return std::uint64_t{2} << sub_bits_; }
  std::size_t bucket_of(std::uint64_t ns) const noexcept;
  std::uint64_t end_of(std::size_t bucket) const noexcept;

  unsigned sub_bits_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0, sum_ns_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace tw
