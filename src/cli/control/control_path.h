// Finds the running node that a command means: by its socket, interface or file, or the only one
// there is.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"

namespace tw::cli {

struct ControlTarget {
  std::string interface;
  std::string socket;
  std::string config_file;
};

/// Declares INTERFACE, --socket and --config, of which people give one at most.
void add_control_target(CLI::App& command, ControlTarget& target);
/// The socket's path. Fails if several nodes run here and none was named, or none runs, or a file
/// was named that does not say where its node's socket is.
Result<std::string> control_path(const ControlTarget& target);

}  // namespace tw::cli
