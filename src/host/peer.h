// The two ends of a veth, which are in different network namespaces as a rule.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/network_space.h"
#include "host/plan/facts.h"

namespace tw::host {

/// Looks in all namespaces that are mounted or that a process is in. Empty if the device is no
/// veth, or its other end cannot be seen. The calling thread is in `space`, or will be again.
std::optional<PeerFacts> find_peer(const NetworkSpace& space, const std::string& device);

/// The veths of a namespace, by name.
Result<std::vector<std::string>> veths_of(const NetworkSpace& space);

/// The file of a container's network namespace, by its name or id: asks `ip netns`, docker, podman
/// and systemd-machined, in this order. The error says what they answered.
Result<std::string> space_of_container(const std::string& name);

}  // namespace tw::host
