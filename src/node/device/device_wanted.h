// The device that a configuration asks for, its host names resolved.
#pragma once

#include "node/config/config.h"
#include "node/device/device_diff.h"

namespace tw::node {

/// May block in the resolver. A host name that does not resolve is logged, and its peer left
/// without an endpoint until it calls: a gateway starts though a name server is down.
WantedDevice wanted_device(const NodeConfig& config);

}  // namespace tw::node
