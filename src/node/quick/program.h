// Programs run to their end: hooks, resolvconf, the device itself.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace tw::node {

/// Runs argv, looked up in PATH, with `input` as its standard input (none: an empty one) and our
/// own output. Blocks until it ends. Fails, with what it was, if it cannot be started or ends
/// otherwise than with 0.
Result<void> run_program(const std::vector<std::string>& argv, const std::string& input = {});

/// Whether PATH has such a program.
bool has_program(const std::string& name);

}  // namespace tw::node
