// A running device, through the socket that `wg` would use (node/device/uapi_protocol.h is its
// other end).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "node/device/uapi_protocol.h"
#include "node/quick/quick_conf.h"

namespace tw::node {

/// Starts `thalweg wg INTERFACE` in the background; returns when it answers. What it has to say
/// goes to stderr.
Result<void> start_device(const std::string& interface);
/// Whether a device of that name answers.
bool device_answers(const std::string& interface);
/// Blocks until it does not any more, some seconds at most: what ends it is that its interface is
/// deleted.
void await_end(const std::string& interface);

/// What `wg setconf` does: keys, port, mark and peers become those of the file. Resolves names.
Result<void> configure_device(const QuickConf& conf);
Result<void> set_device_mark(const std::string& interface, std::uint32_t mark);

/// What `wg showconf` prints, behind `head` in the first section. It holds keys.
Result<SecretText> device_conf(const std::string& interface, std::string_view head);

}  // namespace tw::node
