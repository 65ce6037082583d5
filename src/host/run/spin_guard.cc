#include "host/run/spin_guard.h"

namespace tw::host {

SpinGuard::Verdict SpinGuard::look(std::int64_t now_ms, std::int64_t used_ms, std::int64_t cpus) {
  looks_.push_back({now_ms, used_ms});
  while (looks_.size() > 2 && looks_[1].now_ms <= now_ms - window_ms) looks_.pop_front();
  const std::int64_t passed_ms = now_ms - looks_.front().now_ms;
  if (passed_ms < window_ms) return Verdict::none;
  const std::int64_t percent = (used_ms - looks_.front().used_ms) * 100 / (passed_ms * cpus);
  if (!demoted_) {
    if (percent < spinning_percent) return Verdict::none;
    demoted_ = true;
    calm_since_ms_ = now_ms;
    return Verdict::demote;
  }
  if (percent >= calm_percent) calm_since_ms_ = now_ms;
  if (now_ms - calm_since_ms_ < calm_ms) {
    // Again and again: what it has started meanwhile may have the priority still.
    return percent >= spinning_percent ? Verdict::demote : Verdict::none;
  }
  demoted_ = false;
  return Verdict::promote;
}

}  // namespace tw::host
