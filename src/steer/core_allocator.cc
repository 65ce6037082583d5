#include "steer/core_allocator.h"

#include <algorithm>

namespace tw {

CoreAllocator::Decision CoreAllocator::check(std::span<const QueueView> queues,
                                             const CoreSet& active, Instant now) noexcept {
  next_ = now + settings_.check_every;
  bool congested = false;
  std::optional<std::uint8_t> idlest;
  for (std::size_t number = 0; number < queues.size(); ++number) {
    const auto core = static_cast<std::uint8_t>(number);
    const QueueView& queue = queues[number];
    Seen& seen = seen_[number];
    if (!active.contains(core)) {
      seen = {};
      continue;
    }
    congested |= seen.waiting > 0 && queue.waiting > 0 && queue.taken == seen.taken;
    const bool idle = queue.waiting == 0 && !queue.busy && queue.taken == seen.taken;
    if (!idle) {
      seen.idle_since = Instant::max();
    } else {
      seen.idle_since = std::min(seen.idle_since, now);
      if (now - seen.idle_since >= settings_.idle_before_reclaim) idlest = core;
    }
    seen.waiting = queue.waiting;
    seen.taken = queue.taken;
  }
  Decision decision;
  const std::size_t most = std::min(settings_.most, queues.size());
  if (congested && active.size() < most) {
    for (std::size_t number = 0; number < queues.size() && !decision.grant; ++number) {
      const auto core = static_cast<std::uint8_t>(number);
      if (!active.contains(core)) decision.grant = core;
    }
  } else if (!congested && idlest && active.size() > settings_.least) {
    decision.reclaim = idlest;
  }
  return decision;
}

}  // namespace tw
