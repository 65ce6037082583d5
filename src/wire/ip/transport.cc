#include "wire/ip/transport.h"

#include "wire/be.h"
#include "wire/checksum.h"

namespace tw {
namespace {

constexpr std::uint8_t hop_by_hop = 0, destination_options = 60;
// More than any real packet has. Bounded because every segment of a train repeats it.
constexpr std::size_t most_extension_bytes = 256;

}  // namespace

std::optional<TransportPlace> TransportPlace::of(ByteView packet, const IpPacketView& ip) noexcept {
  if (ip.fragment) return {};
  std::uint8_t protocol = ip.protocol;
  std::size_t offset = ip.header_length;
  if (ip.version == 4) return TransportPlace{protocol, ip.header_length};
  while (protocol == hop_by_hop || protocol == destination_options) {
    if (ip.total_length - offset < 8) return {};
    const std::size_t size = (packet[offset + 1] + std::size_t{1}) * 8;
    if (size > ip.total_length - offset) return {};
    protocol = packet[offset];
    offset += size;
    if (offset > ip.header_length + most_extension_bytes) return {};
  }
  constexpr std::uint8_t routing = 43, fragment = 44;
  if (protocol == routing || protocol == fragment) return {};
  return TransportPlace{protocol, static_cast<std::uint16_t>(offset)};
}

std::optional<TcpView> TcpView::of(ByteView packet, const IpPacketView& ip) noexcept {
  const auto place = TransportPlace::of(packet, ip);
  if (!place || place->protocol != protocol_tcp) return {};
  const ByteView segment = packet.first(ip.total_length).subspan(place->offset);
  if (segment.size() < tcp_min_header) return {};
  const std::size_t header = (segment[12] >> 4U) * std::size_t{4};
  if (header < tcp_min_header || header > segment.size()) return {};
  return TcpView{.source_port = load_be16(segment, 0),
                 .target_port = load_be16(segment, 2),
                 .sequence = load_be32(segment, 4),
                 .acknowledgement = load_be32(segment, 8),
                 .flags = segment[13],
                 .window = load_be16(segment, 14),
                 .offset = place->offset,
                 .options = segment.subspan(tcp_min_header, header - tcp_min_header),
                 .payload = segment.subspan(header)};
}

bool TcpView::is_intact(ByteView packet, const IpPacketView& ip) const noexcept {
  if (ip.version == 4) {
    InternetSum header;
    header.add(packet.first(ip.header_length));
    if (header.checksum() != 0) return false;
  }
  const ByteView segment = packet.first(ip.total_length).subspan(offset);
  InternetSum sum = pseudo_header_sum(ip.source, ip.target, protocol_tcp,
                                      static_cast<std::uint32_t>(segment.size()));
  sum.add(segment);
  return sum.checksum() == 0;
}

std::optional<UdpView> UdpView::of(ByteView packet, const IpPacketView& ip) noexcept {
  const auto place = TransportPlace::of(packet, ip);
  if (!place || place->protocol != protocol_udp) return {};
  const ByteView datagram = packet.first(ip.total_length).subspan(place->offset);
  if (datagram.size() < udp_header_size) return {};
  const std::size_t length = load_be16(datagram, 4);
  if (length < udp_header_size || length > datagram.size()) return {};
  return UdpView{.source_port = load_be16(datagram, 0),
                 .target_port = load_be16(datagram, 2),
                 .offset = place->offset,
                 .payload = datagram.first(length).subspan(udp_header_size)};
}

}  // namespace tw
