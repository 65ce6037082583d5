// The items that one context runs, in the order in which they were asked for: each until its call
// ends, a step at a time, so that a context of higher priority may come between two steps.
#pragma once

#include <cstddef>

#include "exec/contexts/shared_ring.h"
#include "exec/contexts/stage_item.h"
#include "exec/poller.h"

namespace tw {

class StageQueue final : public Poller {
 public:
  /// `capacity`: the items that there are for it; each is in it at most once.
  explicit StageQueue(std::size_t capacity) : items_(capacity) {}

  /// The core that it runs on. Before the first poll(), and between two.
  void run_on(std::size_t core) noexcept { core_ = core; }
  /// Any thread; an item whose schedule() has just returned true.
  void push(StageItem& item) noexcept { TW_ASSERT(items_.push(item)); }
  bool empty() const noexcept { return current_ == nullptr && items_.empty(); }

  /// `budget` counts steps: a call that finds nothing is one, too.
  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return Instant::max(); }
  bool arm() noexcept override { return empty(); }

 private:
  SharedRing<StageItem> items_;
  StageItem* current_ = nullptr;
  std::size_t steps_ = 0;  // of the present call
  std::size_t core_ = 0;
};

}  // namespace tw
