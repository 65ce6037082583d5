// The open stage (decrypt, or encrypt) of one core: takes packets of any flow from a ring that all
// cores share, until it is empty. A packet takes two steps: it is opened, and then published, so
// that a core may be called away with a packet in its hands, and its flow waits for that core.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/contexts/shared_ring.h"
#include "exec/contexts/stage_counters.h"
#include "exec/contexts/stage_item.h"
#include "exec/contexts/staged_packet.h"

namespace tw {

/// The stage after open: is told that a packet may be delivered.
class PublishStage {
 public:
  virtual ~PublishStage() = default;
  virtual void publish(StagedPacket& packet, const StageTurn& turn) noexcept = 0;
};

class OpenItem final : public StageItem {
 public:
  /// All must outlive it. `counters`: its core's. `preemptible`: the deliver calls that are counted
  /// there preempt it.
  OpenItem(SharedRing<StagedPacket>& ring, StageWork& work, PublishStage& next,
           StageCounters& counters, bool preemptible) noexcept
      : StageItem(no_limit),
        ring_(ring),
        work_(work),
        next_(next),
        counters_(counters),
        preemptible_(preemptible) {}

  bool step(const StageTurn& turn) noexcept override;

 protected:
  void call_begins(const StageTurn& /*turn*/) noexcept override {
    calls_seen_ = counters_.deliver_calls.value();
  }

 private:
  void note_preemption() noexcept;

  SharedRing<StagedPacket>& ring_;
  StageWork& work_;
  PublishStage& next_;
  StageCounters& counters_;
  const bool preemptible_;
  StagedPacket* held_ = nullptr;
  std::uint64_t calls_seen_ = 0;
};

}  // namespace tw
