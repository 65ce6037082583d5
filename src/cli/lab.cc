// thalweg lab and thalweg demo: the lab's experiments as subcommands.
#include <string>

#include "cli/command.h"
#include "cli/experiment.h"
#include "lab/experiments.h"

namespace tw::cli {

void add_lab(CLI::App& app, int& exit_code) {
  CLI::App* lab = nullptr;
  for (const std::shared_ptr<lab::Experiment>& experiment : lab::all_experiments()) {
    const bool is_below = experiment->name().starts_with("lab ");
    if (is_below && lab == nullptr) {
      lab = app.add_subcommand(
          "lab", "Instruments: load on a WireGuard device, downloads over a long way");
      lab->require_subcommand(1);
    }
    add_experiment(is_below ? *lab : app, experiment, exit_code);
  }
}

}  // namespace tw::cli
