// Programs run to their end: hooks, resolvconf, the device itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/quick/interrupts.h"

namespace tw::node {

/// Runs argv, looked up in PATH, with our own output. Blocks until it ends. Fails, with what it
/// was, if it cannot be started, if it ends otherwise than with 0, or if a signal asks us to stop:
/// then it and all that it has started are asked to end too, and killed 3 s later.
///
///   input   its standard input, and a process group of its own, out of reach of the terminal's
///           keys; none: ours, and our group, so that it can ask the one who called
Result<void> run_program(const std::vector<std::string>& argv,
                         const std::optional<std::string>& input, Interrupts& interrupts);

/// Returns true if PATH has such a program.
bool has_program(const std::string& name);

}  // namespace tw::node
