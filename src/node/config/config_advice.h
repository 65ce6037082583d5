// What in a good configuration may not be meant: lines that open what another closes, or that
// nothing can come by. Pure; `thalweg check` says it.
#pragma once

#include <string>
#include <vector>

#include "node/config/config.h"

namespace tw::node {

/// As mistakes are, without a place in the file.
std::vector<ConfigMistake> advice_on(const NodeConfig& config, const std::string& path);

}  // namespace tw::node
