// Values that a node derives from its configuration for its parts. Pure, but for the status.
#pragma once

#include <memory>
#include <string_view>

#include "machine/port_holder.h"
#include "node/config/config.h"
#include "node/report/status.h"
#include "node/tunnel/tunnel_device.h"
#include "relay/settings.h"

namespace tw::node {

/// Returns the settings without the keys of its PoPs, which are the device's to say (leg_keys.h).
relay::RelaySettings relay_settings(const NodeConfig& config);
/// Returns the clients that its PoPs may name; null if there are none.
std::shared_ptr<const relay::PopClients> pop_clients(const NodeConfig& config);
/// "udp port 51820 is taken by …", and what to do.
std::unexpected<Error> port_in_use(std::string_view key, std::uint16_t port,
                                   const PortHolder& holder);
/// Says who has the port that could not be had, and which key of `config` names it; any other
/// error as it is. Reads /proc.
std::unexpected<Error> explain_port_in_use(Error error, const NodeConfig& config);
/// True if SIGTERM or SIGINT waits to be served; both are blocked in a node.
bool stop_is_asked() noexcept;
/// The part of a status that the device knows.
NodeStatus device_status(Device& device, const NodeConfig& config);

/// The same values, together in memory: what reading a large file has taken lay between the pieces
/// of what was read, and a page with a piece in it stays.
NodeConfig packed(NodeConfig scattered);

/// Seconds since 1970.
std::int64_t unix_now_s() noexcept;

}  // namespace tw::node
