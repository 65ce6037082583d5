// One setting of a running node, changed by hand (`thalweg set`). It is read by the code that reads
// the file, so that it may be what it may be there, and a mistake is said in the same words.
#pragma once

#include <expected>
#include <string_view>

#include "node/config/config.h"

namespace tw::node {

/// `now` with `key` ("relay.pool.low") set to `value`, written as in the file; a string may go
/// without its quotes, `on` and `off` are booleans, and a table with a key `enabled` may be named
/// itself ("relay.early_syn on"). Only keys of [relay] that need no new sockets: see
/// docs/operations.md.
std::expected<NodeConfig, ConfigMistake> with_setting(const NodeConfig& now, std::string_view key,
                                                      std::string_view value);

}  // namespace tw::node
