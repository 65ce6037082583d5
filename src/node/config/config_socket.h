// The control socket of the node that runs, or would run, with a file: how a unit names its node.
#pragma once

#include <string>

#include "base/result.h"

namespace tw::node {

/// Returns [node] control_socket of the file, or the default for its [tunnel] interface. Whatever
/// else the file says may be wrong: the node is to be found that shall say so. Fails if the file
/// cannot be read, is no TOML, or names neither.
Result<std::string> control_socket_of_file(const std::string& path);

}  // namespace tw::node
