// Whoever looks at a machine is told of what a node that has died has left on it.
#pragma once

namespace tw::cli {

/// A sentence on standard error for each such node, if this user may read its journal.
void warn_of_leftovers();  // clean.cc

}  // namespace tw::cli
