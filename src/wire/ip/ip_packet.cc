#include "wire/ip/ip_packet.h"

#include "wire/be.h"

namespace tw {
namespace {

constexpr std::size_t v4_min_header = 20, v6_header = 40;

std::optional<IpPacketView> v4_of(ByteView packet) noexcept {
  if (packet.size() < v4_min_header) return {};
  const std::size_t header = (packet[0] & 0x0fU) * std::size_t{4};
  const std::size_t total = load_be16(packet, 2);
  if (header < v4_min_header || header > total || total > packet.size()) return {};
  return IpPacketView{.version = 4,
                      .traffic_class = packet[1],
                      .header_length = static_cast<std::uint16_t>(header),
                      .total_length = static_cast<std::uint32_t>(total),
                      .protocol = packet[9],
                      .source = packet.subspan(12, 4),
                      .target = packet.subspan(16, 4),
                      .fragment = (load_be16(packet, 6) & 0x3fffU) != 0};
}

std::optional<IpPacketView> v6_of(ByteView packet) noexcept {
  if (packet.size() < v6_header) return {};
  // A payload length of 0 before a hop-by-hop header announces a jumbogram (RFC 2675).
  const std::size_t payload = load_be16(packet, 4);
  if (payload == 0 && packet[6] == 0) return {};
  if (payload > packet.size() - v6_header) return {};
  return IpPacketView{
      .version = 6,
      .traffic_class = static_cast<std::uint8_t>(((packet[0] & 0x0fU) << 4U) | (packet[1] >> 4U)),
      .header_length = v6_header,
      .total_length = static_cast<std::uint32_t>(v6_header + payload),
      .protocol = packet[6],
      .source = packet.subspan(8, 16),
      .target = packet.subspan(24, 16),
      .fragment = false};
}

}  // namespace

std::optional<IpPacketView> IpPacketView::of(ByteView packet) noexcept {
  if (packet.empty()) return {};
  switch (packet[0] >> 4U) {
    case 4:
      return v4_of(packet);
    case 6:
      return v6_of(packet);
    default:
      return {};
  }
}

}  // namespace tw
