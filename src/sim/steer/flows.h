// The flows of a load: their hashes, and how often each is drawn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace tw::sim {

enum class Popularity : std::uint8_t {
  uniform,
  zipf,  ///< the n-th flow is drawn 1/n times as often as the first
};

class Flows {
 public:
  Flows(std::size_t count, Popularity popularity, std::uint64_t seed);

  std::size_t count() const noexcept { return hashes_.size(); }
  const std::vector<std::uint32_t>& hashes() const noexcept { return hashes_; }
  std::uint32_t hash(std::size_t flow) const noexcept { return hashes_[flow]; }
  /// The number of a flow.
  std::uint32_t draw(RandomSource& random) const noexcept;

 private:
  std::vector<std::uint32_t> hashes_;
  std::vector<double> sums_;  // of popularities up to each flow; empty if all are alike
};

/// Between 0 and 1, without 1.
double fraction(RandomSource& random) noexcept;
/// Exponential, with that mean.
double exponential(RandomSource& random, double mean) noexcept;

}  // namespace tw::sim
