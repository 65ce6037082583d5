// The device that a configuration asks for, its host names resolved as far as they are.
#pragma once

#include "node/config/config.h"
#include "node/device/device_diff.h"
#include "node/endpoints/named_endpoints.h"

namespace tw::node {

/// A peer whose host name has not been resolved is left without an endpoint until it is, or until
/// the peer calls: a gateway starts though a name server is down. Never blocks.
WantedDevice wanted_device(const NodeConfig& config, const NamedEndpoints& named);

}  // namespace tw::node
