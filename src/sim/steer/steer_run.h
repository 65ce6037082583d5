// One policy under one load, from an empty table on, in virtual time: a dispatcher and its workers
// on simulated cores, requests that come as a Poisson process whose rate climbs in steps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "sim/core.h"
#include "sim/steer/flows.h"
#include "steer/dispatch/dispatcher.h"

namespace tw::sim {

enum class PolicyKind : std::uint8_t { indirection, modulo, flow_table, prefill, mixed };
std::string_view name_of(PolicyKind kind) noexcept;

struct SteerLoad {
  std::size_t cores = 10;
  std::size_t flows = 700'000;
  Popularity popularity = Popularity::uniform;
  Duration service = 10us;  ///< mean of an exponential distribution
  /// Shares of what all cores can serve, climbing.
  std::vector<double> loads{0.1, 0.3, 0.5, 0.7, 0.8, 0.9};
  Duration step = 200ms;  ///< at each
  bool as_published = false;
};

/// The figures of one rate.
struct SteerStep {
  double load = 0;     ///< share of what all cores can serve
  double offered = 0;  ///< requests a second
  double p50_us = 0, p99_us = 0, p999_us = 0;
  double busiest_core = 0, mean_core = 0;  ///< share of the time spent serving, of all cores
  double active_cores = 0;                 ///< mean
  double batch_work = 0;                   ///< cores that were free for other work, mean
  std::uint64_t served = 0, dropped = 0;
  std::uint64_t moved = 0;      ///< requests served elsewhere than the flow's last one
  std::uint64_t reordered = 0;  ///< requests served after a later one of their flow
  std::uint64_t grants = 0, reclaims = 0, slots_moved = 0;
};

struct SteerCosts {
  CoreCosts core{};
  DispatchCosts dispatch{};
};
/// Medians of `bench_limits steer` and `bench_limits wake` on an AMD EPYC (family 26). Receiving
/// from the network is not in them: it is the same for all policies.
SteerCosts own_costs() noexcept;

/// The same seed plays the same, whatever the machine.
std::vector<SteerStep> run_steer(PolicyKind policy, const SteerLoad& load, const SteerCosts& costs,
                                 std::uint64_t seed);

}  // namespace tw::sim
