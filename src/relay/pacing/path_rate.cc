#include "relay/pacing/path_rate.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/assert.h"

namespace tw::relay {
namespace {

// A leg gets this part of an even share of a path that others use up.
constexpr std::uint64_t part_of_even_share = 4;
// A leg that finds less says that the path has become narrower. Less of a difference may be noise.
constexpr double much_less = 0.8;
// A rate that has faded by less is proven again when it arrives as it is.
constexpr double hardly_faded = 0.85;

std::uint64_t scale(std::uint64_t bps, double factor) noexcept {
  return static_cast<std::uint64_t>(static_cast<double>(bps) * factor);
}
std::uint64_t in_bounds(std::uint64_t bps) noexcept {
  return std::clamp(bps, PathRate::lowest_bps, PathRate::highest_bps);
}

}  // namespace

PathRate::PathRate(std::uint64_t first_rate_bps) noexcept
    : first_bps_(in_bounds(first_rate_bps)), rate_bps_(first_bps_) {}

void PathRate::set_first_rate(std::uint64_t first_rate_bps) noexcept {
  const std::uint64_t first = in_bounds(first_rate_bps);
  if (rate_bps_ == first_bps_) rate_bps_ = first;
  first_bps_ = first;
}

void PathRate::note_rtt(Duration min_rtt, Instant now) noexcept {
  if (min_rtt <= Duration::zero()) return;
  const Duration known = rtt(now);
  if (known > Duration::zero() && min_rtt > known) return;
  rtt_ = min_rtt;
  rtt_noted_ = now;
}

Duration PathRate::rtt(Instant now) const noexcept {
  return now - rtt_noted_ < rtt_memory ? rtt_ : Duration::zero();
}

bool PathRate::is_short(Instant now) const noexcept {
  const Duration known = rtt(now);
  return known > Duration::zero() && known < shortest_rtt;
}

std::uint64_t PathRate::rate_bps(Instant now) const noexcept {
  const std::chrono::duration<double> age = now - learned_, half = half_life;
  const double kept = std::exp2(-std::max(age.count(), 0.0) / half.count());
  const auto first = static_cast<double>(first_bps_);
  return static_cast<std::uint64_t>(first + (static_cast<double>(rate_bps_) - first) * kept);
}

PathState PathRate::state(Instant now) const noexcept {
  return {.rate_bps = rate_bps(now),
          .limited = is_limited(now),
          .sending = sending_,
          .passed = passed_,
          .failed = failed_,
          .undecided = undecided_};
}

void PathRate::learn(std::uint64_t rate_bps, Instant now) noexcept {
  rate_bps_ = in_bounds(rate_bps);
  learned_ = now;
}

void PathRate::limit_until(Instant forgotten) noexcept {
  limit_forgotten_ = std::max(limit_forgotten_, forgotten);
}

PathShare& PathShare::operator=(PathShare&& other) noexcept {
  if (this == &other) return *this;
  leave();
  path_ = std::move(other.path_);
  used_bps_ = std::exchange(other.used_bps_, 0);
  seen_bps_ = std::exchange(other.seen_bps_, 0);
  joined_ = std::exchange(other.joined_, false);
  return *this;
}

std::uint64_t PathShare::bps(Instant now) const noexcept {
  const std::uint64_t rate = path_->rate_bps(now);
  const std::uint64_t others = path_->sending_ - (joined_ ? 1U : 0U);
  if (others == 0) return rate;
  const std::uint64_t left = rate - std::min(rate, path_->used_bps_ - used_bps_);
  return std::max(left, rate / (part_of_even_share * (others + 1)));
}

void PathShare::join(Instant now) noexcept {
  if (joined_) return;
  const std::uint64_t share = bps(now);
  joined_ = true;
  ++path_->sending_;
  use(share, 0);
}

void PathShare::leave() noexcept {
  if (!joined_) return;
  use(0, 0);
  joined_ = false;
  --path_->sending_;
}

void PathShare::report(std::uint64_t bps) noexcept {
  TW_ASSERT(joined_);
  use(bps, bps);
}

void PathShare::use(std::uint64_t used_bps, std::uint64_t seen_bps) noexcept {
  path_->used_bps_ += used_bps - used_bps_;
  path_->seen_bps_ += seen_bps - seen_bps_;
  used_bps_ = used_bps;
  seen_bps_ = seen_bps;
}

void PathShare::learn(Finding finding, std::uint64_t own_bps, Instant now) noexcept {
  const std::uint64_t rate = path_->rate_bps(now), total = own_bps + path_->seen_bps_ - seen_bps_;
  switch (finding) {
    case Finding::carries:
      if (total >= scale(rate, hardly_faded)) path_->learn(std::max(total, path_->rate_bps_), now);
      break;
    case Finding::narrow:
      if (total < scale(rate, much_less)) path_->learn(total, now);
      break;
    case Finding::full:
      path_->learn(total, now);
      path_->limit_until(now + PathRate::limit_memory);
      break;
    case Finding::lossy:
      path_->learn(total, now);
      path_->limit_until(now + PathRate::overflow_memory);
      break;
  }
}

void PathShare::count(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::passed:
      ++path_->passed_;
      break;
    case Verdict::failed:
      ++path_->failed_;
      break;
    case Verdict::undecided:
      ++path_->undecided_;
      break;
  }
}

}  // namespace tw::relay
