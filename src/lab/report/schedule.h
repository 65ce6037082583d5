// In which order the levels of an experiment are measured, and how long the rest takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "base/time.h"
#include "lab/report/results.h"

namespace tw::lab {

/// Draws the order of levels within each round: a round holds every level once, so that a drift of
/// the machine meets all of them, and no level always follows the same other. The same seed gives
/// the same orders on every machine.
class RoundOrder {
 public:
  explicit RoundOrder(std::uint64_t seed) : engine_(seed) {}
  /// Returns `levels` in a new random order.
  std::vector<std::size_t> next(std::vector<std::size_t> levels);

 private:
  std::mt19937_64 engine_;
};

/// Tells how long what is left will take: from what each level was expected to take, corrected by
/// what it took. Cost: a few additions.
class TimeLeft {
 public:
  explicit TimeLeft(std::span<const Level> levels);
  void took(std::size_t level, Duration time);
  /// For one measurement of that level.
  Duration expect(std::size_t level) const noexcept;

 private:
  struct Past {
    Duration expected, time = Duration::zero();
    std::uint32_t count = 0;
  };
  std::vector<Past> levels_;
  Duration expected_ = Duration::zero(), taken_ = Duration::zero();
};

}  // namespace tw::lab
