// Packets that would change the host that receives them: router advertisements (RFC 4861, RFC 1256)
// and redirects (RFC 792, RFC 4861). Routers send them to their own link, and a tunnel is no link:
// a peer must not give the gateway a default route, an address, an MTU or a way of its choice.
#pragma once

#include "base/bytes.h"
#include "wire/ip/ip_packet.h"

namespace tw {

/// `ip` must be of `packet`. Looks behind IPv6 extension headers, and at a first fragment as at the
/// whole. Cost: the protocol's byte, if it is neither ICMP nor such a header.
bool steers_host(ByteView packet, const IpPacketView& ip) noexcept;

}  // namespace tw
