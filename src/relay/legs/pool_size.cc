#include "relay/legs/pool_size.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace tw::relay {
namespace {

double ratio(Duration part, Duration whole) noexcept {
  return static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

}  // namespace

void PoolSize::used(Instant now, Duration refill_time) noexcept {
  const Duration window = std::max(refill_time, least_refill_time);
  Duration into = now - window_began_;
  if (into >= window) {
    in_window_before_ = into < 2 * window ? in_window_ : 0;
    in_window_ = 0;
    into = into < 2 * window ? into - window : Duration::zero();
    window_began_ = now - into;
  }
  ++in_window_;
  const double recent = in_window_ + in_window_before_ * (1 - ratio(into, window));
  if (recent < peak_at(now)) return;
  peak_ = recent;
  peaked_ = now;
}

double PoolSize::peak_at(Instant now) const noexcept {
  return peak_ * std::exp2(-ratio(now - peaked_, half_life));
}

std::size_t PoolSize::target(Instant now, std::size_t low, std::size_t high) const noexcept {
  const double wanted = std::round(peak_at(now) * head_room);
  const double most = static_cast<double>(high);
  return std::max(low, wanted < most ? static_cast<std::size_t>(wanted) : high);
}

}  // namespace tw::relay
