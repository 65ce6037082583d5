// The gateway of the contexts' simulation: cores and threads, the sockets of each core, and what a
// step of each stage takes. The stages are those of exec/contexts.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "exec/contexts/receive_item.h"
#include "exec/contexts/staged_pipeline.h"
#include "sim/contexts/cores.h"
#include "sim/contexts/stage_costs.h"
#include "sim/contexts/tcp_load.h"

namespace tw::sim {

struct GatewaySettings {
  Context context = Context::affine;
  std::size_t cores = 18;
  std::size_t flows = 1000;
  StageCosts costs{};
  std::uint64_t seed = 1;
};

class GatewayModel final : public Gateway {
 public:
  /// `simulation` must outlive it. meet() before anything arrives.
  GatewayModel(const GatewaySettings& settings, Simulation& simulation);
  void meet(TcpLoad& load) noexcept { load_ = &load; }

  void arrive(ClientPacket& packet, bool from_wire) override;

  const Cores& cores() const noexcept { return cores_; }
  const StagedPipeline& from_wire() const noexcept { return *from_wire_.pipeline; }
  const StagedPipeline& to_wire() const noexcept { return *to_wire_.pipeline; }
  /// Deliver calls that began while another of their flow ran: none.
  std::uint64_t overlapping_calls() const noexcept {
    return from_wire_.overlapping + to_wire_.overlapping;
  }

 private:
  /// A pipeline, what its steps take, and the threads that run it.
  struct Side final : StageWork, StageContexts {
    void open(StagedPacket& packet, const StageTurn& turn) noexcept override;
    void opened(const StageTurn& turn) noexcept override;
    void call_begins(std::uint32_t flow, const StageTurn& turn) noexcept override;
    void deliver(StagedPacket& packet, std::size_t place, const StageTurn& turn) noexcept override;
    void discard(StagedPacket& packet, const StageTurn& turn) noexcept override;
    void call_ends(std::uint32_t flow, std::size_t packets,
                   const StageTurn& turn) noexcept override;
    void on_worker(std::size_t core, StageItem& item, const StageTurn& from) noexcept override;
    void above_worker(std::size_t core, StageItem& item, const StageTurn& from) noexcept override;
    void on_thread(std::uint32_t flow, StageItem& item, const StageTurn& from) noexcept override;

    GatewayModel* gateway = nullptr;
    DirectionCosts costs{};
    std::vector<StageThread*> workers;  // by core
    std::vector<StageThread*> own;      // by flow, if flows have threads
    std::vector<bool> in_call;          // by flow
    std::uint64_t overlapping = 0;
    std::unique_ptr<StagedPipeline> pipeline;
  };

  /// The sockets of a core: both directions in one queue.
  struct Sockets final : StageSource {
    void call_begins(const StageTurn& turn) noexcept override;
    bool receive(const StageTurn& turn) noexcept override;

    GatewayModel* gateway = nullptr;
    struct Waiting {
      ClientPacket* packet;
      bool from_wire;
    };
    std::deque<Waiting> queue;
    std::unique_ptr<ReceiveItem> item;
    StageThread* thread = nullptr;
  };

  void spread_flows();
  void make_threads();
  void make_pipelines();
  void run_item(StageThread& thread, StageItem& item, std::size_t from) noexcept;

  const GatewaySettings settings_;
  Cores cores_;
  TcpLoad* load_ = nullptr;
  std::vector<std::uint8_t> core_of_;  // by flow: where its packets come in
  std::vector<StageThread*> above_;    // by core
  std::vector<std::unique_ptr<Sockets>> sockets_;
  Side from_wire_, to_wire_;
};

}  // namespace tw::sim
