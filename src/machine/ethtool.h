// Asks and sets by ioctl what the program `ethtool` does. Works in the network namespace of the
// calling thread.
#pragma once

#include <string>

#include "base/result.h"

namespace tw {

/// The driver's name: "virtio_net", "veth"; "" if the device does not say.
Result<std::string> driver_of(const std::string& device);
/// True if the stack joins received packets of the device (`ethtool -k`: generic-receive-offload).
Result<bool> has_gro(const std::string& device);
/// Needs CAP_NET_ADMIN. A veth gets its NAPIs by this, and loses them (unless it has XDP).
Result<void> set_gro(const std::string& device, bool on);

}  // namespace tw
