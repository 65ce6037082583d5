// Reads what the planning looks at: from sysfs, /proc, netdev netlink and ethtool.
#pragma once

#include <string>

#include "base/result.h"
#include "host/network_space.h"
#include "host/plan/facts.h"

namespace tw::host {

MachineFacts read_machine();

/// `unavailable` if the namespace has no such device.
Result<Facts> read_facts(const MachineFacts& machine, const NetworkSpace& space,
                         const std::string& device);

}  // namespace tw::host
