#include "lab/clients/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tw::lab {

std::size_t LatencyHistogram::bucket_of(std::uint64_t ns) noexcept {
  if (ns < linear) return ns;
  const auto shift = static_cast<unsigned>(std::bit_width(ns)) - sub_bits - 1;
  const std::uint64_t sub = (ns >> shift) - (linear / 2);
  return linear + ((std::size_t{shift} - 1) << sub_bits) + sub;
}

std::uint64_t LatencyHistogram::end_of(std::size_t bucket) noexcept {
  if (bucket < linear) return bucket;
  const std::size_t above = bucket - linear;
  const std::size_t shift = (above >> sub_bits) + 1;
  const std::uint64_t sub = (above & (linear / 2 - 1)) + linear / 2;
  return ((sub + 1) << shift) - 1;
}

void LatencyHistogram::record(Duration latency) noexcept {
  const std::int64_t ns = std::max<std::int64_t>(latency.count(), 0);
  ++counts_[bucket_of(static_cast<std::uint64_t>(ns))];
  ++count_;
  max_ = std::max(max_, ns);
}

Duration LatencyHistogram::percentile(double share) const noexcept {
  if (count_ == 0) return Duration::zero();
  const double exact = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const std::uint64_t wanted = std::max<std::uint64_t>(static_cast<std::uint64_t>(exact), 1);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted) {
      return Duration{std::min(static_cast<std::int64_t>(end_of(bucket)), max_)};
    }
  }
  return max();
}

}  // namespace tw::lab
