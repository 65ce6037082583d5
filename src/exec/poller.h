// A poller is run by a context: one lane of the data plane, run to completion each time.
#pragma once

#include <cstddef>
#include <span>

#include "base/time.h"
#include "exec/work.h"

namespace tw {

class Poller {
 public:
  virtual ~Poller() = default;
  /// Handles at most `budget` packets, of all its sources together; `now` is the only clock it may
  /// believe. Returns what it has done, and whether the budget has ended it (NAPI's convention). A
  /// poller that takes from several sources counts with a Turn (exec/turn.h).
  virtual Work poll(Instant now, std::size_t budget) noexcept = 0;
  /// Returns when poll() must run next though no descriptor is ready; Instant::max() if never.
  virtual Instant next_deadline() const noexcept = 0;
  /// Descriptors whose readability means "poll me". Read at attach; constant while attached.
  virtual std::span<const int> wait_fds() const noexcept { return {}; }
  /// Until then what its descriptors announce may wait: it lets work gather, as a NIC does that
  /// coalesces its interrupts. A context is deaf, to messages too, while all its pollers agree:
  /// some 100 us, never as long as a person would notice.
  virtual Instant coalescing_until() const noexcept { return {}; }
  /// The step before the context sleeps: false if work has come that no descriptor will announce.
  virtual bool arm() noexcept { return true; }
};

}  // namespace tw
