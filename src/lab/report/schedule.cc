#include "lab/report/schedule.h"

#include <utility>

namespace tw::lab {

std::vector<std::size_t> RoundOrder::next(std::vector<std::size_t> levels) {
  // Fisher and Yates: std::shuffle draws differently in each standard library. The remainder
  // favours small numbers by less than 2^-50.
  for (std::size_t left = levels.size(); left > 1; --left) {
    std::swap(levels[left - 1], levels[engine_() % left]);
  }
  return levels;
}

TimeLeft::TimeLeft(std::span<const Level> levels) {
  levels_.reserve(levels.size());
  for (const Level& level : levels) levels_.push_back({.expected = level.expected});
}

void TimeLeft::took(std::size_t level, Duration time) {
  Past& past = levels_[level];
  ++past.count;
  past.time += time;
  expected_ += past.expected;
  taken_ += time;
}

Duration TimeLeft::expect(std::size_t level) const noexcept {
  const Past& past = levels_[level];
  if (past.count > 0) return past.time / past.count;
  if (expected_ <= Duration::zero()) return past.expected;
  const double factor =
      static_cast<double>(taken_.count()) / static_cast<double>(expected_.count());
  const double ns = static_cast<double>(past.expected.count()) * factor;
  return Duration{static_cast<Duration::rep>(ns)};
}

}  // namespace tw::lab
