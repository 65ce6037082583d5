// What a handful of repetitions says: medians and ranges. With five runs a mean or a deviation
// would claim more than is known.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace tw::lab {

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

struct Interval {
  double low = 0;
  double high = 0;
};

/// An interval that holds the median of what the values are a sample of, 95 % of the times, by
/// their order alone (no distribution is assumed). None for fewer than six values: their whole
/// range would hold it less often.
std::optional<Interval> median_interval(std::span<const double> values);

}  // namespace tw::lab
