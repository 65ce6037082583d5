// The paper's experiment: one file after the other, from a server behind a long way, over every
// configuration in turns. A round takes about as long as its downloads: a minute as it is.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lab/bed/topology.h"
#include "lab/experiment.h"
#include "lab/wan/configuration.h"
#include "lab/wan/paper.h"
#include "lab/wan/wan_report.h"

namespace tw::lab {

struct WanOptions {
  std::vector<std::uint64_t> sizes{10'000, 100'000, 1'000'000, 10'000'000};  ///< bytes
  /// None: all whose programs are installed.
  std::vector<Configuration> configurations{};
  std::array<double, 3> rtt_ms{32.7, 215, 26};  ///< client – R_C, R_C – R_S, R_S – server
  std::array<std::uint64_t, 3> rate_bps{1'000'000'000, 1'000'000'000, 1'000'000'000};
  std::array<std::uint64_t, 3> queue_bytes{};  ///< before each line; 0: 50 ms of its rate
  std::array<double, 3> loss{};                ///< share of segments, each way
  CongestionControls congestion{};
  bool server_nopush = false;
  std::uint64_t seed = 1;  ///< of file contents and losses
};

/// The links that are asked for.
TopologyShape shape_of(const WanOptions& options);

/// Reads "client=0.1%,middle=1" — percent of segments by link, with or without the sign — and adds
/// it to `loss`. The error says what is wrong with it.
Result<void> parse_loss(const std::string& text, std::array<double, 3>& loss);

class WanExperiment : public Experiment {
 public:
  std::string name() const override { return "lab wan"; }
  std::string about() const override {
    return "The paper's experiment: downloads over a long way, each improvement by itself";
  }
  Repetition repetition() const override;
  void options(OptionSet& set) override;
  Result<void> settle(const OptionSet& set, const Settings& settings) override;
  /// Needs root, and the programs that scripts/deps installs.
  Result<std::unique_ptr<Rounds>> prepare(Run& run) override;
  Findings report(const Results& results) override;

 private:
  /// Options that stay text until they are settled.
  struct Texts {
    std::string paper, loss;
    std::vector<std::string> configurations;
    std::vector<double> rtt_ms, rates_mbps;  ///< one for every link, or one for each
    std::vector<std::uint64_t> queues;
    std::string pop_congestion, leg_congestion;  ///< empty: as the ends'
  };

  Result<void> settle_links();

  WanOptions options_;
  Texts texts_;
  std::vector<PaperFigure> paper_;
  WanReport report_;
};

}  // namespace tw::lab
