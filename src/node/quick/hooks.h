// The commands of a wg-quick file, in the shell that wg-quick would run them in: bash with errexit,
// pipefail and extglob, wg-quick's variables and its function `cmd`.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "node/quick/interrupts.h"
#include "node/quick/quick_conf.h"

namespace tw::node {

/// One after the other, up to the first that fails: a command of a hook that fails ends the hook,
/// also in the middle of it or of a pipe. A hook has our standard input and terminal.
Result<void> run_hooks(const std::vector<std::string>& hooks, const QuickConf& conf,
                       Interrupts& interrupts);

/// Returns the script that a hook runs in, exposed for its test: wg-quick's variables and
/// functions, as far as hooks can mean them. The hook itself is the script's first argument.
std::string hook_script(const QuickConf& conf);

}  // namespace tw::node
