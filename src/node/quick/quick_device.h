// A running device, through the socket that `wg` would use (node/uapi/uapi_protocol.h is its
// other end).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/quick/interrupts.h"
#include "node/quick/quick_conf.h"
#include "node/uapi/uapi_protocol.h"

namespace tw::node {

/// Starts `thalweg wg INTERFACE` in the background; returns when it answers. What it has to say
/// goes to stderr.
Result<void> start_device(const std::string& interface, Interrupts& interrupts);
/// Returns true if a device of that name answers.
bool device_answers(const std::string& interface);
/// Blocks until it does not any more, some seconds at most: what ends it is that its interface is
/// deleted.
void await_end(const std::string& interface);

/// Does what `wg setconf` does: keys, port, mark and peers become those of the file. Resolves
/// names; what may be known later is asked for again as often as WG_ENDPOINT_RESOLUTION_RETRIES
/// says, a number or "infinity", or else 15 times, after waits that grow from 1 to 20 s. A signal
/// ends that.
Result<void> configure_device(const QuickConf& conf, Interrupts& interrupts);

/// The peers of the device, which are not always those of the file: a peer may stand in it twice.
struct QuickPeers {
  std::vector<Endpoint> endpoints;
  std::vector<Prefix> allowed_ips;
};
Result<QuickPeers> device_peers(const std::string& interface);
Result<void> set_device_mark(const std::string& interface, std::uint32_t mark);

/// Returns the text that `wg showconf` prints, behind `head` in the first section. It holds keys.
Result<SecretText> device_conf(const std::string& interface, std::string_view head);

}  // namespace tw::node
