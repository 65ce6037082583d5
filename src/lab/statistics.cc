#include "lab/statistics.h"

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

}  // namespace tw::lab
