// Finds lines of a good configuration that may not be meant: they open what another closes, or
// nothing can come by them. Pure; `thalweg check` says it.
#pragma once

#include <string>
#include <vector>

#include "node/config/config.h"

namespace tw::node {

/// As mistakes are, without a place in the file.
std::vector<ConfigMistake> advice_on(const NodeConfig& config, const std::string& path);

}  // namespace tw::node
