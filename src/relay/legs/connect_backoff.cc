#include "relay/legs/connect_backoff.h"

#include <algorithm>

namespace tw::relay {

// Half of it is fixed, so that the pace is bounded, and half is random, so that the PoPs of an
// overlay do not all come at the same moment to one that is back.
Duration ConnectBackoff::pause() noexcept {
  constexpr std::uint32_t most_doublings = 16;
  const std::uint32_t doublings = std::min(failures_ - 1, most_doublings);
  const Duration whole = std::min(first_pause * (std::int64_t{1} << doublings), longest_pause);
  const auto half = static_cast<std::uint64_t>(whole.count()) / 2;
  return Duration{static_cast<Duration::rep>(half + random_->next() % (half + 1))};
}

void ConnectBackoff::begun(Instant now) noexcept {
  if (failing()) again_ = now + pause();
}

void ConnectBackoff::failed(Instant begun, Instant now) noexcept {
  if (failing() && begun < failed_at_) return;  // of the outage that is known already
  if (failures_ < UINT32_MAX) ++failures_;
  failed_at_ = now;
  again_ = now + pause();
}

void ConnectBackoff::proved(Instant established) noexcept {
  if (failing() && established >= failed_at_) failures_ = 0;
}

}  // namespace tw::relay
