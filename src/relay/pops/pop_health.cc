#include "relay/pops/pop_health.h"

#include <algorithm>

namespace tw::relay {
namespace {

constexpr Duration unknown_rtt = 250ms;
constexpr Duration resend_time = 250ms;  // TCP's least timeout, and some
constexpr Duration most_patience = 900ms;

}  // namespace

void PopHealth::suspect(const LegSourceState& pool, Instant now) noexcept {
  // Connections that were under way already tell nothing new.
  if (suspected_ && now < again_ && pool.opened == opened_) return;
  suspected_ = true;
  opened_ = pool.opened;
  pause_ = std::clamp(2 * pause_, first_pause, longest_pause);
  again_ = now + pause_;
}

void PopHealth::answered() noexcept {
  suspected_ = false;
  pause_ = {};
}

bool PopHealth::is_usable(const LegSourceState& pool, Instant now) const noexcept {
  if (suspected_ && pool.opened == opened_ && now < again_) return false;
  return pool.failures_in_row == 0 || pool.idle > 0;
}

Duration PopHealth::patience(Duration rtt) noexcept {
  return std::min(3 * (rtt > Duration::zero() ? rtt : unknown_rtt) + resend_time, most_patience);
}

}  // namespace tw::relay
