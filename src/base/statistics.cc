#include "base/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace tw {

double percentile(std::span<const double> values, double share) {
  if (values.empty()) return 0;
  std::vector<double> sorted{values.begin(), values.end()};
  std::ranges::sort(sorted);
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

double nearest_rank(std::span<const double> values, double share) {
  if (values.empty()) return 0;
  std::vector<double> sorted{values.begin(), values.end()};
  std::ranges::sort(sorted);
  const double place = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(place, 1.0)) - 1];
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

double student_t(std::size_t degrees) noexcept {
  constexpr std::array points{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                              2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                              2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                              2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
  return points[std::clamp(degrees, std::size_t{1}, points.size()) - 1];
}

MeanInterval mean_interval(std::span<const double> values) {
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  if (values.size() == 1) return {.mean = mean};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double half = student_t(values.size() - 1) * std::sqrt(squares / (count - 1) / count);
  return {.mean = mean, .interval = Interval{mean - half, mean + half}};
}

std::vector<double> two_modes(std::span<const double> values) {
  constexpr double wide = 0.25;  // of the median
  if (values.size() < 4) return {};
  std::vector<double> sorted{values.begin(), values.end()};
  std::ranges::sort(sorted);
  const double range = sorted.back() - sorted.front();
  if (range <= wide * std::abs(percentile(sorted, 0.5))) return {};
  std::size_t at = 1;  // the first value of the upper group
  for (std::size_t next = 2; next < sorted.size(); ++next) {
    if (sorted[next] - sorted[next - 1] >= sorted[at] - sorted[at - 1]) at = next;
  }
  const bool is_apart = sorted[at] - sorted[at - 1] > range / 2;
  if (!is_apart || std::min(at, sorted.size() - at) < 2) return {};
  const std::span all{sorted};
  return {percentile(all.first(at), 0.5), percentile(all.subspan(at), 0.5)};
}

}  // namespace tw
