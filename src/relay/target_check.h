// Whether an address may be the target of a relayed connection at all, whatever the policy says: no
// way into this machine's own services, under any address that leads there at this moment, and none
// to the port on which other PoPs trust us.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "relay/kernel_route.h"
#include "wire/address.h"

namespace tw::relay {

/// The IPv4 address that an IPv6 one stands for: v4-mapped and v4-compatible (RFC 4291, 2.5.5),
/// NAT64 (RFC 6052, the well-known prefix), 6to4 (RFC 3056). A translator on the way would turn one
/// into the other, so both must be fit.
std::optional<IpAddress> embedded_v4(const IpAddress& address) noexcept;

struct TargetRules {
  std::vector<Prefix> local_targets;  ///< allowed although special or local
  std::vector<IpAddress> pops;        ///< overlay addresses of other PoPs
  int tun_index = 0;
  std::uint16_t listen_port = 0, leg_port = 0;
};

enum class TargetVerdict : std::uint8_t {
  fit,
  special,      ///< refused: see is_special(), or local to this machine, or a PoP's own service
  unreachable,  ///< no route, or the kernel could not be asked
};

/// Before each direct connect. `target` is not v4-mapped (unmapped() has been called).
TargetVerdict check_target(const Endpoint& target, const TargetRules& rules,
                           RouteLookup& lookup) noexcept;

}  // namespace tw::relay
