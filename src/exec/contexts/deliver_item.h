// The deliver stage of one flow: its packets in order of arrival, each marked when it has been
// opened. A call takes them from the head and stops at the first that is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/spsc_ring.h"
#include "exec/contexts/stage_counters.h"
#include "exec/contexts/stage_item.h"
#include "exec/contexts/staged_packet.h"

namespace tw {

class DeliverItem final : public StageItem {
 public:
  /// Both must outlive it. `counters`: by core. `capacity`: packets of the flow between receive and
  /// deliver.
  DeliverItem(std::uint32_t flow, StageWork& work, std::vector<StageCounters>& counters,
              std::size_t capacity, std::size_t call_budget)
      : StageItem(call_budget), flow_(flow), work_(work), counters_(counters), packets_(capacity) {}

  /// The context that receives the flow. False if there is no room.
  bool append(StagedPacket& packet) noexcept { return packets_.push(&packet); }

  bool step(const StageTurn& turn) noexcept override;

 protected:
  void call_begins(const StageTurn& turn) noexcept override;
  void call_ends(const StageTurn& turn) noexcept override;

 private:
  StagedPacket* head() noexcept;

  const std::uint32_t flow_;
  StageWork& work_;
  std::vector<StageCounters>& counters_;
  SpscRing<StagedPacket*> packets_;
  StagedPacket* head_ = nullptr;  // out of packets_ already
  std::size_t delivered_ = 0;     // by the present call
};

}  // namespace tw
