#include "wire/ip/nesting.h"

#include "wire/ip/ip_packet.h"
#include "wire/ip/transport.h"

namespace tw {
namespace {

constexpr std::uint8_t protocol_fragment = 44;  // IPv6: an extension header of 8 bytes
constexpr std::size_t fragment_header_bytes = 8;
constexpr std::size_t ttl_at = 8, hop_limit_at = 7;

/// The first bytes of every WireGuard message: its type, and three zeros.
bool is_wireguard(ByteView payload) noexcept {
  constexpr std::uint8_t last_type = 4;
  return payload.size() >= 4 && payload[0] >= 1 && payload[0] <= last_type && payload[1] == 0 &&
         payload[2] == 0 && payload[3] == 0;
}

bool may_be_nested(ByteView packet, const IpPacketView& ip) noexcept {
  if (ip.protocol == protocol_udp) {
    if (ip.fragment) return true;
    const std::size_t payload_at = ip.header_length + udp_header_size;
    return payload_at <= packet.size() && is_wireguard(packet.subspan(payload_at));
  }
  if (ip.version == 4 || ip.protocol != protocol_fragment) return false;
  return packet.size() >= ip.header_length + fragment_header_bytes &&
         packet[ip.header_length] == protocol_udp;
}

}  // namespace

Nesting Nesting::of(ByteView packet) noexcept {
  const auto ip = IpPacketView::of(packet);
  if (!ip || !may_be_nested(packet, *ip)) return {};
  const std::uint8_t hops = packet[ip->version == 4 ? ttl_at : hop_limit_at];
  if (hops <= hops_per_tunnel) return {.is_too_deep = true, .hop_limit = 0};
  return {.is_too_deep = false, .hop_limit = static_cast<std::uint8_t>(hops - hops_per_tunnel)};
}

}  // namespace tw
