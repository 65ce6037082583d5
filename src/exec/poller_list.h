// The pollers of one context, in the order they were attached. They may come and go while they run:
// a poller that detaches itself, or its neighbour, from inside poll() is not called again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/assert.h"
#include "exec/poller.h"

namespace tw {

class PollerList {
 public:
  void attach(Poller& poller) {
    TW_ASSERT(std::ranges::find(pollers_, &poller) == pollers_.end());
    pollers_.push_back(&poller);
  }
  void detach(Poller& poller) noexcept {
    const auto found = std::ranges::find(pollers_, &poller);
    TW_ASSERT(found != pollers_.end());
    if (iterating_) {
      *found = nullptr;  // places must not move under poll_all()
    } else {
      pollers_.erase(found);
    }
  }

  /// Polls each once, those included that are attached meanwhile. Returns the work of all.
  Work poll_all(Instant now, std::size_t budget) noexcept {
    Work work;
    iterating_ = true;
    for (std::size_t i = 0; i < pollers_.size(); ++i) {
      if (pollers_[i] == nullptr) continue;
      work += pollers_[i]->poll(now, budget);
    }
    iterating_ = false;
    std::erase(pollers_, nullptr);
    return work;
  }

  /// False if any poller has work that no descriptor will announce.
  bool arm_all() noexcept {
    return std::ranges::all_of(pollers_, [](Poller* poller) { return poller->arm(); });
  }
  Instant next_deadline() const noexcept {
    Instant earliest = Instant::max();
    for (const Poller* poller : pollers_) earliest = std::min(earliest, poller->next_deadline());
    return earliest;
  }
  /// Until when all of them let work gather.
  Instant coalescing_until() const noexcept {
    if (pollers_.empty()) return {};
    Instant earliest = Instant::max();
    for (const Poller* poller : pollers_) earliest = std::min(earliest, poller->coalescing_until());
    return earliest;
  }
  bool empty() const noexcept { return pollers_.empty(); }

 private:
  std::vector<Poller*> pollers_;
  bool iterating_ = false;
};

}  // namespace tw
