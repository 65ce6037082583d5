// Finds the running node that a command means: by socket, by interface, or the only one there is.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"

namespace tw::cli {

struct ControlTarget {
  std::string interface;
  std::string socket;
};

/// Declares INTERFACE and --socket.
void add_control_target(CLI::App& command, ControlTarget& target);
/// The socket's path. Fails if several nodes run here and none was named, or none runs.
Result<std::string> control_path(const ControlTarget& target);

}  // namespace tw::cli
