// Refuses addresses that may never be the target of a relayed connection, whatever the policy says:
// no way into this machine's own services, under any address that leads there at this moment, and
// none to the port on which other PoPs trust us.
#pragma once

#include <cstdint>
#include <vector>

#include "relay/admission/kernel_route.h"
#include "wire/address.h"

namespace tw::relay {

struct TargetRules {
  std::vector<Prefix> local_targets;  ///< allowed although special or local
  std::vector<IpAddress> pops;        ///< overlay addresses of other PoPs
  int tun_index = 0;
  std::uint16_t listen_port = 0, leg_port = 0;
};

enum class TargetVerdict : std::uint8_t {
  fit,
  special,      ///< refused: see is_special(), or local to this machine, or a PoP's own service;
                ///< or an IPv4 address inside it is (wire/ip/embedded_ipv4.h)
  unreachable,  ///< no route, or the kernel could not be asked
};

/// Before each direct connect. `target` is not v4-mapped (unmapped() has been called).
TargetVerdict check_target(const Endpoint& target, const TargetRules& rules,
                           RouteLookup& lookup) noexcept;

}  // namespace tw::relay
