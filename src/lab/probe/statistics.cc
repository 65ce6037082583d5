#include "lab/probe/statistics.h"

#include <algorithm>
#include <cmath>

namespace tw::lab {

double percentile(std::span<const double> values, double share) {
  if (values.empty()) return 0;
  std::vector<double> sorted{values.begin(), values.end()};
  std::ranges::sort(sorted);
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

Summary summarise(std::span<const double> values) {
  if (values.empty()) return {};
  const auto [min, max] = std::ranges::minmax_element(values);
  return {.median = percentile(values, 0.5), .min = *min, .max = *max, .count = values.size()};
}

std::optional<Interval> median_interval(std::span<const double> values) {
  // From the k-th smallest to the k-th largest it fails if fewer than k values lie on one side of
  // the median: twice the probability that a fair coin shows fewer than k heads in n throws.
  constexpr double most_failures = 0.05;
  const std::size_t count = values.size();
  double term = std::pow(0.5, static_cast<double>(count));  // exactly `below` heads
  double fewer = 0;                                         // fewer than `below` heads
  std::size_t below = 0;
  for (; below <= count / 2 && 2 * (fewer + term) <= most_failures; ++below) {
    fewer += term;
    term *= static_cast<double>(count - below) / static_cast<double>(below + 1);
  }
  if (below == 0) return {};
  std::vector<double> sorted{values.begin(), values.end()};
  std::ranges::sort(sorted);
  return Interval{sorted[below - 1], sorted[count - below]};
}

}  // namespace tw::lab
