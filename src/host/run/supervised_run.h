// Runs a program with a real-time priority, and watches that it leaves the others a turn.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "host/run/run_place.h"

namespace tw::host {

/// Starts the program, waits for its end and returns its exit status as a shell would: 128 + N if
/// signal N ended it, 127 if there is no such program, 126 if it cannot be started. What it prints
/// is its own; a sentence of ours goes to standard error when its priority is taken or given back.
/// Signals that this process gets are passed on. If this process is killed, the program gets
/// SIGTERM; what it has started and left running when it ends loses the priority.
/// An error means that the program was not started. To be called from the only thread.
Result<int> run_supervised(const std::vector<std::string>& command, const RunPlace& place);

}  // namespace tw::host
