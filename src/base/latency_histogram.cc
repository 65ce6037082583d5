#include "base/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/assert.h"

namespace tw {
namespace {

constexpr unsigned most_sub_bits = 10;

std::size_t buckets_of(unsigned sub_bits) noexcept {
  TW_ASSERT(sub_bits > 0 && sub_bits <= most_sub_bits);
  return (std::size_t{2} << sub_bits) + (std::size_t{63 - sub_bits - 1} << sub_bits);
}

}  // namespace

LatencyHistogram::LatencyHistogram(unsigned sub_bits)
    : sub_bits_(sub_bits), counts_(buckets_of(sub_bits)) {}

std::size_t LatencyHistogram::bucket_of(std::uint64_t ns) const noexcept {
  if (ns < linear()) return ns;
  const auto shift = static_cast<unsigned>(std::bit_width(ns)) - sub_bits_ - 1;
  const std::uint64_t sub = (ns >> shift) - (linear() / 2);
  return linear() + ((std::size_t{shift} - 1) << sub_bits_) + sub;
}

std::uint64_t LatencyHistogram::end_of(std::size_t bucket) const noexcept {
  if (bucket < linear()) return bucket;
  const std::size_t above = bucket - linear();
  const std::size_t shift = (above >> sub_bits_) + 1;
  const std::uint64_t sub = (above & (linear() / 2 - 1)) + linear() / 2;
  return ((sub + 1) << shift) - 1;
}

void LatencyHistogram::record(Duration latency) noexcept {
  const std::int64_t ns = std::max<std::int64_t>(latency.count(), 0);
  ++counts_[bucket_of(static_cast<std::uint64_t>(ns))];
  ++count_;
  sum_ns_ += static_cast<std::uint64_t>(ns);
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

}  // namespace tw
