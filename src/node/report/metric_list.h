// The counters of a node, as a list for the documentation.
#pragma once

#include <string>

namespace tw::node {

/// Returns all families of metrics as a table of Markdown: labels, place in JSON, meaning.
std::string metric_table();

}  // namespace tw::node
