// Sockets behind the tunnel: in the namespace where the target's inner addresses live, used from
// ours.
#pragma once

#include <string>

#include "base/result.h"
#include "port/udp/sockets.h"
#include "wire/address.h"

namespace tw::lab {

/// Bound to `at`, inside the network namespace `netns` (a name as `ip netns` has it; empty: the
/// caller's). Entering one needs CAP_SYS_ADMIN.
Result<UdpSocket> open_inner_socket(const std::string& netns, const Endpoint& at,
                                    std::size_t buffer_bytes);

}  // namespace tw::lab
