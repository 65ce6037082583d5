// The receive stage of one core: polls its sockets, or its share of a NIC's queues, and gives what
// comes to a pipeline. Like NAPI it goes behind others when it has used up its budget.
#pragma once

#include <cstddef>

#include "exec/contexts/stage_item.h"

namespace tw {

/// The sockets of a core.
class StageSource {
 public:
  virtual ~StageSource() = default;
  /// A call begins, which may read several packets at once.
  virtual void call_begins(const StageTurn& turn) noexcept = 0;
  /// Takes one packet, gives it to its pipeline, and returns true if there are more.
  virtual bool receive(const StageTurn& turn) noexcept = 0;
};

class ReceiveItem final : public StageItem {
 public:
  /// `source` must outlive it; schedule() is called when something has come.
  ReceiveItem(StageSource& source, std::size_t call_budget) noexcept
      : StageItem(call_budget), source_(source) {}

  bool step(const StageTurn& turn) noexcept override { return source_.receive(turn); }

 protected:
  void call_begins(const StageTurn& turn) noexcept override { source_.call_begins(turn); }

 private:
  StageSource& source_;
};

}  // namespace tw
