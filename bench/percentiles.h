// Latencies as the reports of bench_load have them: in µs, as a JSON object.
#pragma once

#include <fmt/format.h>

#include <string>

#include "base/latency_histogram.h"

namespace tw::bench {

inline std::string percentiles(const LatencyHistogram& histogram) {
  const auto us = [](Duration latency) { return static_cast<double>(latency.count()) / 1e3; };
  const auto at = [&](double share) { return us(histogram.percentile(share)); };
  return fmt::format(
      R"({{"p50": {:.1f}, "p90": {:.1f}, "p95": {:.1f}, "p99": {:.1f}, "p99_9": {:.1f}, )"
      R"("max": {:.1f}}})",
      at(0.5), at(0.9), at(0.95), at(0.99), at(0.999), us(histogram.max()));
}

}  // namespace tw::bench
