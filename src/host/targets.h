// The devices that a command means: by name, in a network namespace that is named, or that a
// process or a container is in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/network_space.h"

namespace tw::host {

struct TargetNames {
  std::vector<std::string> devices;
  std::string netns;      ///< a name of `ip netns`, or a path; "": not given
  std::uint32_t pid = 0;  ///< 0: not given
  std::string container;  ///< "": not given
};

struct Target {
  std::shared_ptr<const NetworkSpace> space;
  std::string device;
};

/// At most one of netns, pid and container is given. With one of them and without devices: every
/// veth in that namespace, and its other end.
Result<std::vector<Target>> find_targets(const TargetNames& names);

}  // namespace tw::host
