// Everything that base/statistics.h computes, as JSON: `lab_bed statistics` prints it, so that
// what Python computes of the same values can be compared.
#pragma once

#include <span>
#include <string>

namespace tw::lab {

/// {"count", "mean", "low", "high", "median", "min", "max", "median_95", "p5", "p95",
/// "nearest_p50", "nearest_p99", "modes"}; all digits, and what a few values have not is left out.
/// `values` are not empty.
std::string statistics_json(std::span<const double> values);

}  // namespace tw::lab
