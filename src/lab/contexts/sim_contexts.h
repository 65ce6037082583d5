// The paper's experiment (P0) in virtual time: execution contexts of the deliver stage under TCP of
// more and more clients, each from several seeds (docs/contexts.md).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/experiment.h"
#include "sim/contexts/contexts_run.h"

namespace tw::lab {

struct SimContextsOptions {
  std::vector<Context> contexts{Context::affine, Context::softirq, Context::thread,
                                Context::thread_pinned, Context::workqueue};
  std::vector<sim::Direction> directions{sim::Direction::receive, sim::Direction::transmit};
  std::vector<sim::StageCosts> costs{sim::paper_costs(), sim::own_stage_costs()};
  std::vector<std::size_t> clients{100, 200, 300, 400, 500, 600, 700, 800, 900, 1000};
  std::size_t cores = 18;
  double rate_bps = 25e6;       ///< of each client, with the costs `paper`
  double own_rate_bps = 150e6;  ///< likewise with `own`: what `affine` just cannot carry
  Duration recorded = 100ms;    ///< after as long a time that is not
};

/// A row of the experiment, and all that was played for it.
struct ContextsLevel {
  sim::ContextsLoad load{};
  const sim::StageCosts* costs = nullptr;
  std::vector<sim::ContextsFigures> played{};
};

/// A level is a context with a number of clients, one direction and one set of costs. A round is
/// one seed: the first plus the round's number.
class SimContextsExperiment final : public Experiment {
 public:
  std::string name() const override { return "sim contexts"; }
  std::string about() const override {
    return "Execution contexts of the deliver stage under many clients (paper P0)";
  }
  Repetition repetition() const override {
    return {.runs = 5,
            .warmups = 0,
            .quick_runs = 3,
            .quick_help = "Three seeds, 100, 500 and 1000 clients, 50 ms each",
            .seed_help = "The first seed (1)"};
  }
  void options(OptionSet& set) override;
  Result<void> settle(const OptionSet& set, const Settings& settings) override;
  Result<std::unique_ptr<Rounds>> prepare(Run& run) override;
  Findings report(const Results& results) override;

 private:
  /// Values that are not what the options are in the end.
  struct Texts {
    std::uint32_t cores = 18;
    std::string clients = "100..1000", rate = "25M", direction = "both", costs = "both";
    std::vector<std::string> contexts;
    double time_ms = 100;
  };
  void make_levels();

  Texts texts_;
  SimContextsOptions options_;
  std::vector<ContextsLevel> levels_;
};

/// "100..1000": ten numbers from the first to the last, evenly; "50,200": these. None if it is
/// neither, or a number is 0 or above 100,000.
std::optional<std::vector<std::size_t>> parse_clients(std::string_view text);

}  // namespace tw::lab
