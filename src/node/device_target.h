// The step from one configuration file to the next, as a device sees it.
#pragma once

#include "node/config.h"
#include "node/device.h"

namespace tw::node {

/// What has to change on a device that has `now` (null: nothing yet) so that it has `next`. Peers
/// that are the same in both are not named; an endpoint is named only if the configured one has
/// changed, so that a peer that has roamed stays where it is. Host names are resolved here, which
/// may block; one that does not resolve is logged, and the peer left without an endpoint until it
/// calls.
DeviceChange change_to(const NodeConfig& next, const NodeConfig* now);

}  // namespace tw::node
