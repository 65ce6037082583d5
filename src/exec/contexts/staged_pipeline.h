// Receive, open and deliver as stages that different contexts run. A packet that has been received
// goes into its flow's queue and into a ring of packets to open; whoever opens it asks for the
// flow's deliver stage. The execution contexts of paper P0 differ in one thing: where that runs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "exec/contexts/deliver_item.h"
#include "exec/contexts/open_item.h"
#include "exec/contexts/shared_ring.h"
#include "exec/contexts/stage_counters.h"
#include "exec/contexts/stage_item.h"
#include "exec/contexts/staged_packet.h"

namespace tw {

enum class Context : std::uint8_t { affine, softirq, thread, thread_pinned, workqueue };
std::string_view name_of(Context context) noexcept;

/// The context of a flow's deliver stage.
enum class DeliverPlace : std::uint8_t {
  opener,  ///< the worker that opened the packet, behind what that has to do
  above,   ///< the thread of higher priority on the core that opened it
  thread,  ///< a thread of the flow's own
  fixed,   ///< a worker that depends on the flow only
};
DeliverPlace deliver_place_of(Context context) noexcept;

/// The contexts that there are: threads, or simulated cores. Each call queues an item and wakes who
/// runs it; `from` is the step that asks for it.
class StageContexts {
 public:
  virtual ~StageContexts() = default;
  virtual void on_worker(std::size_t core, StageItem& item, const StageTurn& from) noexcept = 0;
  virtual void above_worker(std::size_t core, StageItem& item, const StageTurn& from) noexcept = 0;
  virtual void on_thread(std::uint32_t flow, StageItem& item, const StageTurn& from) noexcept = 0;
};

class StagedPipeline final : public PublishStage {
 public:
  struct Settings {
    DeliverPlace place = DeliverPlace::opener;
    /// One ring for all cores, whose workers are kicked in turn; or one for each core, whose flows
    /// are its own (`affine`).
    bool shares_ring = true;
    std::size_t cores = 1;
    std::size_t flows = 1;
    std::size_t ring = 1024;        ///< packets to open; as WireGuard in Linux has it
    std::size_t flow_queue = 1024;  ///< packets of a flow; likewise
    std::size_t deliver_call = 64;  ///< packets of a call; NAPI's budget
  };
  enum class Arrival : std::uint8_t {
    queued,
    flow_full,  ///< not taken: it is the caller's to drop
    ring_full,  ///< taken, and discarded in its turn
  };

  /// Both must outlive the pipeline.
  StagedPipeline(const Settings& settings, StageWork& work, StageContexts& contexts);

  /// The receive stage: takes a packet until its work has delivered or discarded it. Packets of a
  /// flow must come from one context at a time.
  Arrival receive(StagedPacket& packet, const StageTurn& turn) noexcept;

  const StageCounters& counters(std::size_t core) const noexcept { return counters_[core]; }

 private:
  void publish(StagedPacket& packet, const StageTurn& turn) noexcept override;
  void deliver(std::uint32_t flow, const StageTurn& turn) noexcept;

  const Settings settings_;
  StageContexts& contexts_;
  std::vector<StageCounters> counters_;  // by core
  std::vector<std::unique_ptr<SharedRing<StagedPacket>>> rings_;
  std::vector<std::unique_ptr<OpenItem>> open_;        // by core
  std::vector<std::unique_ptr<DeliverItem>> deliver_;  // by flow
  std::atomic<std::size_t> next_core_{0};
};

}  // namespace tw
