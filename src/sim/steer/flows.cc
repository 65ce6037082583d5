#include "sim/steer/flows.h"

#include <algorithm>
#include <cmath>

namespace tw::sim {

Flows::Flows(std::size_t count, Popularity popularity, std::uint64_t seed) : hashes_(count) {
  SeededRandom random{seed};
  for (std::uint32_t& hash : hashes_) hash = static_cast<std::uint32_t>(random.next() >> 32U);
  if (popularity == Popularity::uniform) return;
  sums_.reserve(count);
  double sum = 0;
  for (std::size_t flow = 0; flow < count; ++flow) {
    sum += 1.0 / static_cast<double>(flow + 1);
    sums_.push_back(sum);
  }
}

std::uint32_t Flows::draw(RandomSource& random) const noexcept {
  if (sums_.empty()) return static_cast<std::uint32_t>(random.next() % hashes_.size());
  const auto found = std::ranges::lower_bound(sums_, fraction(random) * sums_.back());
  const auto flow = static_cast<std::size_t>(found - sums_.begin());
  return static_cast<std::uint32_t>(std::min(flow, hashes_.size() - 1));
}

double fraction(RandomSource& random) noexcept {
  return static_cast<double>(random.next() >> 11U) * 0x1.0p-53;
}

double exponential(RandomSource& random, double mean) noexcept {
  return -mean * std::log1p(-fraction(random));
}

}  // namespace tw::sim
