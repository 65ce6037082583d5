// The options that say how a device works: those of [tunnel] in a node's TOML file, by the same
// names.
#pragma once

#include <CLI/CLI.hpp>

#include "node/device/device_tuning.h"

namespace tw::cli {

/// `tuning` must live until the command line is parsed. A wrong value is an error of usage.
void add_tuning_options(CLI::App& command, node::DeviceTuning& tuning);

/// The same for its [workers].
void add_worker_options(CLI::App& command, node::DeviceWorkers& workers);

}  // namespace tw::cli
