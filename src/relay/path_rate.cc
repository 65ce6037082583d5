#include "relay/path_rate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/assert.h"

namespace tw::relay {
namespace {

// A probe near a known limit exceeds it by so much: 1/4 of a short burst fits into any queue.
constexpr double near_limit = 1.25;
// Sending at exactly what was measured would keep the queue that the probe has made.
constexpr double below_limit = 0.95;
constexpr double corrected_by_one = 0.9;
// After a failed probe, RTTs until the next; doubled by each failure up to the longest.
constexpr std::uint32_t first_pause_rtts = 8;
constexpr std::uint32_t longest_pause_rtts = 256;
// So much of what the path carries may have been granted, before shares are taken back.
constexpr double granted_at_most = 1.1;
// What has faded by less is proven again when it arrives as it is.
constexpr double hardly_faded = 0.85;

// The initial window of RFC 6928.
constexpr std::uint64_t stock_window_bytes = 10 * std::uint64_t{1380};
// What is shorter is a machine talking to itself.
constexpr Duration shortest_rtt = 1ms;

std::uint64_t rate_of(std::uint64_t bytes, Duration time) noexcept {
  const std::chrono::duration<double> seconds = time;
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * 8 / seconds.count());
}

std::uint64_t scale(std::uint64_t bps, double factor) noexcept {
  return static_cast<std::uint64_t>(static_cast<double>(bps) * factor);
}
std::uint64_t in_bounds(std::uint64_t bps) noexcept {
  return std::clamp(bps, PathRate::lowest_bps, PathRate::highest_bps);
}

}  // namespace

PathRate::PathRate(std::uint64_t first_rate_bps, Lower lower)
    : configured_bps_(first_rate_bps),
      first_bps_(in_bounds(first_rate_bps)),
      rate_bps_(first_bps_),
      probe_pause_rtts_(first_pause_rtts),
      lower_(std::move(lower)) {}

void PathRate::set_first_rate(std::uint64_t first_rate_bps) noexcept {
  configured_bps_ = first_rate_bps;
  const std::uint64_t first = in_bounds(std::max(first_rate_bps, stock_bps()));
  if (rate_bps_ == first_bps_) rate_bps_ = first;
  first_bps_ = first;
  rate_bps_ = std::max(rate_bps_, stock_bps());
}

std::uint64_t PathRate::stock_bps() const noexcept {
  return min_rtt_ > Duration::zero() ? rate_of(stock_window_bytes, min_rtt_) : 0;
}

void PathRate::note_rtt(Duration min_rtt) noexcept {
  if (min_rtt <= Duration::zero() || (min_rtt_ > Duration::zero() && min_rtt >= min_rtt_)) return;
  min_rtt_ = std::max(min_rtt, shortest_rtt);
  set_first_rate(configured_bps_);
}

std::uint64_t PathRate::rate_bps(Instant now) const noexcept {
  const std::chrono::duration<double> age = now - learned_, half = half_life;
  const double kept = std::exp2(-std::max(age.count(), 0.0) / half.count());
  const double first = static_cast<double>(first_bps_);
  return static_cast<std::uint64_t>(first + (static_cast<double>(rate_bps_) - first) * kept);
}

std::uint64_t PathRate::probe_extra_bps(Instant now) const noexcept {
  const std::uint64_t rate = rate_bps(now);
  if (!limit_known(now)) return rate;
  const std::uint64_t ceiling = scale(std::max(limit_bps_, rate), near_limit);
  return std::min(rate, ceiling - rate);
}

PathState PathRate::state(Instant now) const noexcept {
  return {.rate_bps = rate_bps(now),
          .limited = limit_known(now),
          .sending = members_.size(),
          .passed = passed_,
          .failed = failed_,
          .undecided = undecided_};
}

void PathRate::learn(std::uint64_t rate_bps, Instant now) noexcept {
  rate_bps_ = in_bounds(std::max(rate_bps, stock_bps()));
  learned_ = now;
}

void PathRate::set_limit(std::uint64_t limit_bps, Instant now) noexcept {
  limit_bps_ = limit_bps;
  limit_forgotten_ = now + limit_memory;
}

// Whoever has more than their share keeps just that; for a prober, its burst is over.
void PathRate::lower_all(Instant now) noexcept {
  for (PathShare* const member : members_) {
    const std::uint64_t share = member->bps(now);
    if (member->granted_bps_ <= share) continue;
    granted_bps_ -= member->granted_bps_ - share;
    member->granted_bps_ = share;
    member->extra_bps_ = 0;
    lower_(member->socket_, share);
  }
}

PathShare& PathShare::operator=(PathShare&& other) noexcept {
  if (this == &other) return *this;
  leave();
  path_ = std::move(other.path_);
  socket_ = other.socket_;
  place_ = std::exchange(other.place_, nowhere);
  used_bps_ = other.used_bps_;
  granted_bps_ = other.granted_bps_;
  extra_bps_ = other.extra_bps_;
  taking_ = other.taking_;
  has_probe_ = other.has_probe_;
  if (joined()) path_->members_[place_] = this;
  return *this;
}

void PathShare::join(Instant now) {
  if (joined()) return;
  place_ = path_->members_.size();
  path_->members_.push_back(this);
  report(bps(now), true);
}

void PathShare::leave() noexcept {
  if (!joined()) return;
  drop_probe();
  report(0, false);
  path_->granted_bps_ -= granted_bps_;
  granted_bps_ = extra_bps_ = 0;
  PathShare* const last = path_->members_.back();
  path_->members_[place_] = last;
  last->place_ = place_;
  path_->members_.pop_back();
  place_ = nowhere;
}

void PathShare::report(std::uint64_t used_bps, bool taking) noexcept {
  TW_ASSERT(joined());
  path_->used_bps_ += used_bps - used_bps_;
  if (taking_) {
    --path_->taking_;
    path_->used_by_taking_bps_ -= used_bps_;
  }
  if (taking) {
    ++path_->taking_;
    path_->used_by_taking_bps_ += used_bps;
  }
  used_bps_ = used_bps;
  taking_ = taking;
}

std::uint64_t PathShare::bps(Instant now) const noexcept {
  const std::uint64_t rate = path_->rate_bps(now);
  const std::uint64_t even = rate / (path_->members_.size() + (joined() ? 0U : 1U));
  std::uint64_t modest = path_->used_bps_ - path_->used_by_taking_bps_;
  if (!taking_) modest -= used_bps_;
  const std::uint32_t taking = path_->taking_ + (taking_ ? 0U : 1U);
  return std::max(even, (rate - std::min(rate, modest)) / taking);
}

std::uint64_t PathShare::grant(double part, std::uint64_t extra_bps, Instant now) noexcept {
  TW_ASSERT(joined());
  path_->granted_bps_ -= granted_bps_;
  granted_bps_ = scale(bps(now), part);
  extra_bps_ = extra_bps;
  path_->granted_bps_ += granted_bps_;
  if (path_->granted_bps_ > scale(path_->rate_bps(now), granted_at_most)) path_->lower_all(now);
  return this->granted_bps();
}

std::optional<std::uint64_t> PathShare::take_probe(Instant now) noexcept {
  if (!may_probe(now)) return std::nullopt;
  path_->probing_ = has_probe_ = true;
  return path_->probe_extra_bps(now);
}

void PathShare::return_probe() noexcept {
  if (std::exchange(has_probe_, false)) path_->probing_ = false;
}

void PathShare::drop_probe() noexcept {
  if (has_probe_) ++path_->undecided_;
  return_probe();
}

void PathShare::pass_probe(std::uint64_t total_bps, Instant now) noexcept {
  return_probe();
  ++path_->passed_;
  path_->learn(std::max(total_bps, path_->rate_bps(now)), now);
  if (path_->limit_known(now) && total_bps > path_->limit_bps_) path_->limit_bps_ = 0;
  path_->probe_pause_rtts_ = first_pause_rtts;
}

void PathShare::fail_probe(std::uint64_t total_bps, Duration rtt, Instant now) noexcept {
  return_probe();
  ++path_->failed_;
  // One short burst corrects what was learned from others, and does not overthrow it.
  const std::uint64_t least = scale(path_->rate_bps(now), corrected_by_one);
  path_->learn(std::max(scale(total_bps, below_limit), least), now);
  path_->set_limit(path_->rate_bps_, now);
  path_->next_probe_ = now + path_->probe_pause_rtts_ * rtt;
  path_->probe_pause_rtts_ = std::min(2 * path_->probe_pause_rtts_, longest_pause_rtts);
}

void PathShare::confirm(Instant now) noexcept {
  const std::uint64_t rate = path_->rate_bps(now);
  path_->learn(rate >= scale(path_->rate_bps_, hardly_faded) ? path_->rate_bps_ : rate, now);
}

void PathShare::lower(double delivered_share, Duration rtt, Instant now) noexcept {
  if (now < path_->lowered_again_) return;
  path_->lowered_again_ = now + rtt;
  path_->learn(scale(path_->rate_bps(now), std::clamp(delivered_share, 0.0, 1.0)), now);
  path_->set_limit(path_->rate_bps_, now);
  path_->next_probe_ = std::max(path_->next_probe_, now + first_pause_rtts * rtt);
}

}  // namespace tw::relay
