// Keeps a tunnel's interface from learning anything, and from saying anything by itself. It is no
// LAN: whatever comes out of it has been sent by a peer, and a peer is not therefore a router.
#pragma once

#include <string>

namespace tw::node {

/// Before the interface is up. No router advertisements, redirects or automatic addresses, as far
/// as the kernel has settings of one device for that (the lane drops such packets besides, which
/// holds in every namespace: wire/ip/host_steering.h); no link-local address of the kernel's own,
/// no router solicitations and no reports of multicast listeners, as with the kernel's WireGuard,
/// whose device has no IFF_MULTICAST either (`ip link set DEVICE multicast on` brings that back).
/// All of it goes with the interface. What is refused is logged.
void quiet_tun(const std::string& interface);

}  // namespace tw::node
