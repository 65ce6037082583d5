// What a node derives from its configuration for the parts it is made of. Pure, but for the status.
#pragma once

#include <memory>
#include <string_view>

#include "node/config/config.h"
#include "node/device/tunnel_device.h"
#include "node/status.h"
#include "relay/settings.h"

namespace tw::node {

/// Without the keys of its PoPs, which are the device's to say (leg_keys.h).
relay::RelaySettings relay_settings(const NodeConfig& config);
/// Whom its PoPs may name; null if there are none.
std::shared_ptr<const relay::PopClients> pop_clients(const NodeConfig& config);
/// Whether a running relay can go over from one configuration to the other as it is.
bool same_listeners(const NodeConfig& now, const NodeConfig& next);
/// The key that differs and cannot change while a node runs; empty: none does.
std::string_view needs_restart(const NodeConfig& now, const NodeConfig& next);
/// The part of a status that the device knows.
NodeStatus device_status(Device& device, const NodeConfig& config);

}  // namespace tw::node
