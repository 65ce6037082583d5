#include "base/interval.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tw {
namespace {

/// Student's t for 97.5 %, by degrees of freedom from 1 on; beyond them 1.96 is within 2 %.
constexpr std::array<double, 30> t_values{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                          2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                          2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                          2.060,  2.056, 2.052, 2.048, 2.045, 2.042};

double t_of(std::size_t freedom) {
  return freedom <= t_values.size() ? t_values[freedom - 1] : 1.96;
}

}  // namespace

MeanInterval mean_interval(std::span<const double> runs) {
  MeanInterval result{.runs = runs.size()};
  if (runs.empty()) return result;
  const auto count = static_cast<double>(runs.size());
  for (const double run : runs) result.mean += run / count;
  double squares = 0;
  for (const double run : runs) squares += (run - result.mean) * (run - result.mean);
  const double half =
      runs.size() < 2 ? 0 : t_of(runs.size() - 1) * std::sqrt(squares / (count - 1) / count);
  result.low = result.mean - half;
  result.high = result.mean + half;
  return result;
}

}  // namespace tw
