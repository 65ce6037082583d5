// The demonstration: builds the hosts and links, measures them, starts the server, both PoPs and a
// standard client, and downloads over every path. Takes about 17 s a run with its usual sizes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lab/demo/demo_report.h"
#include "lab/experiment.h"

namespace tw::lab {

struct DemoOptions {
  std::vector<std::uint64_t> sizes{10'000, 100'000, 1'000'000, 10'000'000};  ///< bytes
  std::vector<Path> paths{Path::end_to_end, Path::tunnelled, Path::relayed};
  std::uint64_t rate_bps = 1'000'000'000;  ///< of every link, each way
  double client_loss = 0;                  ///< share of segments lost between client and R_C
};

class DemoExperiment : public Experiment {
 public:
  std::string name() const override { return "demo"; }
  std::string about() const override {
    return "Downloads end to end and through two PoPs, over emulated long-haul links";
  }
  Repetition repetition() const override;
  void options(OptionSet& set) override;
  Result<void> settle(const OptionSet& set, const Settings& settings) override;
  /// Needs root, and the programs that scripts/deps installs.
  Result<std::unique_ptr<Rounds>> prepare(Run& run) override;
  bool reports_interrupted() const override { return false; }
  Findings report(const Results& results) override;

 private:
  DemoOptions options_;
  std::vector<std::string> paths_;  ///< as typed
  double rate_mbps_ = 1000;
  double loss_percent_ = 0;
  DemoReport report_;
};

}  // namespace tw::lab
