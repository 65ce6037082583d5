#include "base/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace tw {
namespace {

TEST(LatencyHistogram, OfNothingIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.percentile(0.99), 0ns);
  EXPECT_EQ(histogram.max(), 0ns);
}

TEST(LatencyHistogram, IsExactWhereValuesAreSmall) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.record(Duration{i});
  EXPECT_EQ(histogram.percentile(0.5), 50ns);
  EXPECT_EQ(histogram.percentile(0.99), 99ns);
  EXPECT_EQ(histogram.percentile(1), 100ns);
  EXPECT_EQ(histogram.percentile(0), 1ns);
}

// Against the sorted samples themselves, from nanoseconds to minutes.
TEST(LatencyHistogram, IsWithinOnePercentEverywhere) {
  SeededRandom random{1};
  LatencyHistogram histogram;
  std::vector<std::int64_t> samples;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::int64_t>(random.next() >> (27 + random.next() % 36));
    samples.push_back(value);
    histogram.record(Duration{value});
  }
  std::sort(samples.begin(), samples.end());
  for (const double share : {0.1, 0.5, 0.9, 0.99, 0.999}) {
    const auto rank = static_cast<std::size_t>(share * 20'000) - 1;
    const auto exact = static_cast<double>(samples[rank]);
    const auto found = static_cast<double>(histogram.percentile(share).count());
    EXPECT_GE(found, exact) << share;
    EXPECT_LE(found, exact * 1.008 + 1) << share;
  }
  EXPECT_EQ(histogram.max().count(), samples.back());
  EXPECT_EQ(histogram.percentile(1).count(), samples.back());
}

TEST(LatencyHistogram, TakesTheExtremes) {
  LatencyHistogram histogram;
  histogram.record(Duration{-5});
  histogram.record(Duration::max());
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.percentile(0.5), 0ns);
  EXPECT_EQ(histogram.percentile(1), Duration::max());
}

// With few buckets too; and a cumulative count at a power of two is exact, as Prometheus wants it.
TEST(LatencyHistogram, CountsUpToAPowerOfTwoAreExact) {
  SeededRandom random{2};
  LatencyHistogram histogram{5};
  std::vector<std::int64_t> samples;
  std::uint64_t sum = 0;
  for (int i = 0; i < 5'000; ++i) {
    samples.push_back(static_cast<std::int64_t>(random.next() >> (30 + random.next() % 30)));
    sum += static_cast<std::uint64_t>(samples.back());
    histogram.record(Duration{samples.back()});
  }
  EXPECT_EQ(histogram.sum_ns(), sum);
  for (const std::int64_t power : {1L << 6, 1L << 16, 1L << 20, 1L << 33}) {
    std::uint64_t counted = 0;
    histogram.for_each_bucket([&](Duration end, std::uint64_t count) {
      EXPECT_GT(count, 0U);
      if (end.count() < power) counted += count;
    });
    const auto exact = std::ranges::count_if(samples, [&](auto value) { return value < power; });
    EXPECT_EQ(counted, static_cast<std::uint64_t>(exact)) << power;
  }
  std::ranges::sort(samples);
  const auto median = static_cast<double>(samples[2'499]);
  EXPECT_GE(static_cast<double>(histogram.percentile(0.5).count()), median);
  EXPECT_LE(static_cast<double>(histogram.percentile(0.5).count()), median * 1.033 + 1);
}

}  // namespace
}  // namespace tw
