// The difference between two configurations, in words for whoever reloads: the answer of
// `thalweg reload`.
#pragma once

#include <string>
#include <vector>

#include "node/config/config.h"

namespace tw::node {

/// One sentence part a difference, in the order of the documentation: "relay.pool.low: 4, now 20",
/// "peer anna: added", "policy: 2 rules, now 3". No values of keys. Empty: they are the same.
std::vector<std::string> config_changes(const NodeConfig& now, const NodeConfig& next);

}  // namespace tw::node
