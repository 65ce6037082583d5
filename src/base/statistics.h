// Statistics of repetitions of one measurement. A handful of downloads is told by its median and
// range; figures that are repeated until they are certain, by their mean and its interval. Python's
// tests/net/lib/statistics.py has the same for bench/; tests/net/test_lab_bed.py compares them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace tw {

struct Summary {
  double median = 0;
  double min = 0;
  double max = 0;
  std::size_t count = 0;  ///< of the values; all else is 0 if this is
};

Summary summarise(std::span<const double> values);

/// The value below which `share` (0 to 1) of the values lie, linear between neighbours (Hyndman and
/// Fan's type 7, as R and NumPy have it); 0 if there are none.
double percentile(std::span<const double> values, double share);

/// The smallest value that at least `share` of the values do not exceed: always one that occurred,
/// for percentiles of many latencies. 0 if there are none.
double nearest_rank(std::span<const double> values, double share);

struct Interval {
  double low = 0;
  double high = 0;
};

/// An interval that holds the median of what the values are a sample of, 95 % of the times, by
/// their order alone (no distribution is assumed). None for fewer than six values: their whole
/// range would hold it less often.
std::optional<Interval> median_interval(std::span<const double> values);

struct MeanInterval {
  double mean = 0;
  std::optional<Interval> interval{};  ///< none of fewer than two values

  double half_width() const noexcept { return interval ? (interval->high - interval->low) / 2 : 0; }
};

/// The mean, and the interval that holds the mean of what the values are a sample of, 95 % of the
/// times (Student's t: it assumes that the mean of so many values is normally distributed).
MeanInterval mean_interval(std::span<const double> values);

/// The 97.5 % point of Student's t for at least one degree of freedom. From 30 on it is that of 30,
/// which makes intervals 4 % too wide at most.
double student_t(std::size_t degrees) noexcept;

/// The medians of two groups into which the values fall: each of at least two, with more than half
/// of the range empty between them, and a range of more than a quarter of the median. Empty if they
/// do not. A mean of two modes is a figure that never occurs.
std::vector<double> two_modes(std::span<const double> values);

}  // namespace tw
