// A figure with its uncertainty: the mean of some runs and the interval that holds the true mean
// 95 % of the times (Student's t), assuming runs that are independent and nearly normal.
#pragma once

#include <cstddef>
#include <span>

namespace tw {

struct MeanInterval {
  double mean = 0, low = 0, high = 0;
  std::size_t runs = 0;
};

/// With one run the interval is that run; with none all is 0.
MeanInterval mean_interval(std::span<const double> runs);

}  // namespace tw
