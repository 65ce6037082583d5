// Congestion marks through a tunnel (RFC 6040, normal mode): the outer header starts with the inner
// one's ECN field, and what happened to it on the way is carried back into the inner one.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/ip/ip_packet.h"

namespace tw {

namespace ecn {
inline constexpr std::uint8_t mask = 3;
inline constexpr std::uint8_t not_capable = 0, capable_1 = 1, capable_0 = 2, experienced = 3;
}  // namespace ecn

/// Adds what the outer header's traffic class must to a packet's ECN field: section 4.2, figure 4.
/// Writes into the packet, IPv4 checksum included. False if the packet must be dropped: a router
/// has marked it instead of dropping it, and its sender would not understand the mark.
bool carry_ecn(ByteSpan packet, const IpPacketView& ip, std::uint8_t outer) noexcept;

}  // namespace tw
