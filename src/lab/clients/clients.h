// The load generator as an experiment: many WireGuard clients in one process, against any endpoint.
// A run is one measurement; load_run.h has its steps.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lab/clients/clients_report.h"
#include "lab/clients/options.h"
#include "lab/experiment.h"

namespace tw::lab {

class ClientsExperiment : public Experiment {
 public:
  std::string name() const override { return "lab clients"; }
  std::string about() const override {
    return "Many WireGuard clients at once: load any endpoint and count what comes through";
  }
  Repetition repetition() const override;
  void options(OptionSet& set) override;
  Result<void> settle(const OptionSet& set, const Settings& settings) override;
  /// Writes the target's configuration, if --print-config asks for it.
  Result<bool> instead() override;
  Result<std::unique_ptr<Rounds>> prepare(Run& run) override;
  Findings report(const Results& results) override;

 private:
  /// Options as they are typed.
  struct Texts {
    std::string target, sink, addresses, spoof_from, target_key, flood = "none", rate;
    std::string configuration;  ///< file to write the target's to
    double duration_s = 10, warmup_s = 1, handshake_timeout_s = 15, bystander_ms = 5;
    std::uint32_t ahead_mb = 2048;
  };

  void load_options(OptionSet& set);
  void other_options(OptionSet& set);
  Result<void> settle_texts();

  ClientsOptions options_;
  Texts texts_;
  bool per_peer_ = false;
  std::optional<ClientsReport> report_;
};

}  // namespace tw::lab
