// The counters of a node, as text for Prometheus. Only metrics_text.cc sees the Prometheus library.
#pragma once

#include <string>

#include "node/report/status.h"

namespace tw::node {

/// Returns all metrics in the text format of Prometheus, version 0.0.4.
std::string to_metrics(const NodeStatus& status);

}  // namespace tw::node
