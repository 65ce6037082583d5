// The paper's experiment (P3, Calisto) in virtual time: steering policies under the same loads,
// with cores granted and taken, each from several seeds (docs/steering.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "sim/steer/steer_run.h"

namespace tw::lab {

struct SimSteerOptions {
  sim::SteerLoad load{};
  std::vector<sim::PolicyKind> policies{sim::PolicyKind::indirection, sim::PolicyKind::modulo,
                                        sim::PolicyKind::flow_table, sim::PolicyKind::prefill,
                                        sim::PolicyKind::mixed};
  sim::SteerCosts costs = sim::own_costs();
};

/// A level is a policy at one load. A round is one seed: the first plus the round's number.
class SimSteerExperiment final : public Experiment {
 public:
  std::string name() const override { return "sim steer"; }
  std::string about() const override {
    return "Steering policies under the same load, with cores granted and taken (paper P3)";
  }
  Repetition repetition() const override {
    return {.runs = 10,
            .warmups = 0,
            .quick_runs = 3,
            .quick_help = "Three seeds, 50 ms at each load",
            .seed_help = "The first seed (1)"};
  }
  void options(OptionSet& set) override;
  Result<void> settle(const OptionSet& set, const Settings& settings) override;
  Result<std::unique_ptr<Rounds>> prepare(Run& run) override;
  Findings report(const Results& results) override;

 private:
  /// Values that are not what the options are in the end.
  struct Texts {
    std::uint32_t cores = 10, flows = 700'000;
    std::vector<std::string> policies;
    std::string distribution = "uniform";
    double service_us = 10, step_ms = 200;
  };
  Texts texts_;
  SimSteerOptions options_;
};

}  // namespace tw::lab
