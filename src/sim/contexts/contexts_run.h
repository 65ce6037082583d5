// One execution context under one load in virtual time (paper P0): a gateway with two pipelines
// whose stages are those of exec/contexts, on simulated cores. Nothing here opens, delivers or
// schedules: it only says what a step takes, and where its threads are.
#pragma once

#include <cstdint>
#include <vector>

#include "exec/contexts/staged_pipeline.h"
#include "sim/contexts/stage_costs.h"
#include "sim/contexts/tcp_load.h"

namespace tw::sim {

struct ContextsLoad {
  Context context = Context::affine;
  Direction direction = Direction::receive;
  std::size_t cores = 18;
  std::size_t clients = 1000;
  double rate_bps = 25e6;  ///< of each client
  Duration settling = 100ms;
  Duration recorded = 100ms;
};

/// The receive pipeline's deliver stage on one core, while recorded.
struct DeliverOnCore {
  double busy = 0;  ///< share of its time, whatever it does
  std::uint64_t calls = 0, empty = 0, packets = 0;
  std::vector<std::uint64_t> call_sizes{};  ///< as CallSizes has them
};

struct ContextsFigures {
  double offered_gbps = 0, gbps = 0;  ///< payload packets of 1,420 bytes
  double cpu_percent = 0;             ///< of all cores together: 100 is one core
  double p50_us = 0, p99_us = 0;      ///< round trips of requests
  double busiest_core = 0, median_core = 0, mean_core = 0;
  double preempted_share = 0;  ///< of packets opened, from the wire
  double open_wait_us = 0, deliver_wait_us = 0;
  std::uint64_t dropped = 0, disordered = 0, migrations = 0;
  std::uint64_t deliver_calls = 0, deliver_empty = 0, delivered = 0;
  bool conserved = false;  ///< sent = delivered + dropped + in the gateway
  /// All that was delivered went through the stages of exec/contexts, which alone count it there.
  bool through_stages = false;
  std::uint64_t overlapping_calls = 0;  ///< deliver calls of a flow that ran at the same time
  std::vector<DeliverOnCore> cores{};

  double packets_per_deliver() const noexcept {
    return deliver_calls == 0 ? 0
                              : static_cast<double>(delivered) / static_cast<double>(deliver_calls);
  }
};

/// The same seed plays the same, whatever the machine.
ContextsFigures run_contexts(const ContextsLoad& load, const StageCosts& costs, std::uint64_t seed);

}  // namespace tw::sim
