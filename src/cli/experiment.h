// Any experiment of the lab as a subcommand: the frame's options, the experiment's, and the way to
// the exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "lab/experiment.h"

namespace tw::cli {

/// Adds `experiment` below `parent` by the last word of its name. Its callback sets `exit_code`.
void add_experiment(CLI::App& parent, std::shared_ptr<lab::Experiment> experiment, int& exit_code);

}  // namespace tw::cli
