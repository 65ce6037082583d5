#include "wire/ip/host_steering.h"

#include <cstddef>
#include <cstdint>

#include "wire/ip/icmp.h"

namespace tw {
namespace {

constexpr std::uint8_t redirect4 = 5, router_advertisement4 = 9;
constexpr std::uint8_t router_advertisement6 = 134, redirect6 = 137;
// IPv6 extension headers (RFC 8200, section 4).
constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, destination = 60;

bool steers_ipv4(ByteView packet, const IpPacketView& ip) noexcept {
  if (ip.protocol != protocol_icmp4 || packet.size() <= ip.header_length) return false;
  // The first fragment alone has the type, and without it the others come to nothing.
  constexpr std::size_t fragment_at = 6;
  const bool is_later = (packet[fragment_at] & 0x1fU) != 0 || packet[fragment_at + 1] != 0;
  const std::uint8_t type = packet[ip.header_length];
  return !is_later && (type == redirect4 || type == router_advertisement4);
}

}  // namespace

bool steers_host(ByteView packet, const IpPacketView& ip) noexcept {
  if (ip.version == 4) return steers_ipv4(packet, ip);
  std::uint8_t next = ip.protocol;
  std::size_t at = ip.header_length;
  // Each turn goes eight bytes on, so that it ends with the packet.
  while (at + 8 <= packet.size()) {
    if (next == protocol_icmp6) {
      return packet[at] == router_advertisement6 || packet[at] == redirect6;
    }
    if (next != hop_by_hop && next != routing && next != destination && next != fragment) {
      return false;
    }
    if (next == fragment) {
      const bool is_later = packet[at + 2] != 0 || (packet[at + 3] & 0xf8U) != 0;
      if (is_later) return false;
    }
    const std::size_t units = next == fragment ? 0 : packet[at + 1];
    next = packet[at];
    at += (units + 1) * 8;
  }
  return false;
}

}  // namespace tw
