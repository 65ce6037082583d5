// Grants and reclaims cores as Shenango does: a packet that was waiting at the last check and still
// waits means congestion, and a core is granted at once; a core that has been idle for some time is
// taken back. It decides only; whoever asks it carries the decision out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/time.h"
#include "steer/core_set.h"

namespace tw {

struct AllocatorSettings {
  std::size_t least = 1, most = CoreSet::most;
  Duration check_every = 5us;
  /// A core must have been idle at each check for so long: granting it again costs a wake-up.
  Duration idle_before_reclaim = 50us;
};

/// A worker's queue, as it is at a check.
struct QueueView {
  std::uint64_t waiting = 0;
  std::uint64_t taken = 0;  ///< since the worker's beginning: tells whether its head has changed
  bool busy = false;        ///< the worker is at something
};

class CoreAllocator {
 public:
  explicit CoreAllocator(AllocatorSettings settings) noexcept : settings_(settings) {}

  struct Decision {
    std::optional<std::uint8_t> grant, reclaim;
  };
  /// `queues` by core, all that are allowed. At most one core comes and one goes at a time. Of
  /// those that are not active the one with the lowest number is granted.
  Decision check(std::span<const QueueView> queues, const CoreSet& active, Instant now) noexcept;
  Instant next_check() const noexcept { return next_; }

 private:
  struct Seen {
    std::uint64_t waiting = 0, taken = 0;
    Instant idle_since = Instant::max();
  };

  AllocatorSettings settings_;
  Instant next_{};
  std::array<Seen, CoreSet::most> seen_{};
};

}  // namespace tw
