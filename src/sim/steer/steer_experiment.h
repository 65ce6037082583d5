// The paper's experiment (P3, Calisto) in virtual time: policies under the same loads, several
// seeds of each, and what came of it as a table and as JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/statistics.h"
#include "sim/steer/steer_run.h"

namespace tw::sim {

struct SteerOptions {
  SteerLoad load{};
  std::vector<PolicyKind> policies{PolicyKind::indirection, PolicyKind::modulo,
                                   PolicyKind::flow_table, PolicyKind::prefill, PolicyKind::mixed};
  std::uint64_t first_seed = 1;
  std::size_t runs = 10;  ///< seeds
  SteerCosts costs = own_costs();
};

/// A policy at one rate, over all seeds.
struct SteerRow {
  PolicyKind policy{};
  double load = 0, offered = 0;
  MeanInterval p50_us, p99_us, p999_us;
  MeanInterval busiest_core, mean_core, active_cores, batch_work;
  MeanInterval moved, reordered, dropped, grants, slots_moved;
};

/// p99 of the first policy divided by another's, at one rate, seed by seed.
struct SteerRatio {
  PolicyKind policy{}, to{};
  double load = 0;
  MeanInterval p99;
};

struct SteerReport {
  SteerOptions options;
  std::vector<SteerRow> rows;
  std::vector<SteerRatio> ratios;
  std::size_t runs = 0;  ///< seeds that every policy has played
  std::string command, version;
};

/// `progress` hears of each run: how many are done of how many. Returns false to stop, and what is
/// complete by then is reported.
SteerReport run_steer_experiment(const SteerOptions& options,
                                 const std::function<bool(std::size_t, std::size_t)>& progress);

std::string to_table(const SteerReport& report);
std::string to_json(const SteerReport& report);
std::string to_csv(const SteerReport& report);

}  // namespace tw::sim
