#include "lab/report/statistics_json.h"

#include "base/statistics.h"
#include "lab/report/json.h"

namespace tw::lab {

std::string statistics_json(std::span<const double> values) {
  const Summary summary = summarise(values);
  const MeanInterval mean = mean_interval(values);
  ReportJson json{{"count", summary.count},
                  {"mean", mean.mean},
                  {"median", summary.median},
                  {"min", summary.min},
                  {"max", summary.max},
                  {"p5", percentile(values, 0.05)},
                  {"p95", percentile(values, 0.95)},
                  {"nearest_p50", nearest_rank(values, 0.5)},
                  {"nearest_p99", nearest_rank(values, 0.99)},
                  {"modes", two_modes(values)}};
  if (mean.interval) {
    json["low"] = mean.interval->low;
    json["high"] = mean.interval->high;
  }
  if (const auto interval = median_interval(values)) {
    json["median_95"] = {interval->low, interval->high};
  }
  return dumped(json, -1);
}

}  // namespace tw::lab
