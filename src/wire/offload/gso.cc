#include "wire/offload/gso.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "wire/be.h"
#include "wire/checksum.h"
#include "wire/ip/ip_packet.h"
#include "wire/ip/transport.h"

namespace tw {
namespace {

// Offsets inside the headers.
constexpr std::size_t v4_total_length = 2, v4_identification = 4, v4_checksum = 10;
constexpr std::size_t v6_header = 40, v6_payload_length = 4;
constexpr std::size_t tcp_sequence = 4, tcp_flags = 13, tcp_checksum = 16;
constexpr std::size_t udp_length = 4, udp_checksum = 6;
/// Between the outer UDP header and the inner IP header: more than Geneve with all its options and
/// an Ethernet header. Bounded because every segment of a train repeats it.
constexpr std::size_t most_tunnel_bytes = 512;

/// 0 in a UDP checksum means "none". Both zeros verify alike, so, as the kernel does, the other one
/// is used for every protocol.
std::uint16_t nonzero(std::uint16_t checksum) noexcept { return checksum == 0 ? 0xffff : checksum; }

bool is_protocol_of(std::uint8_t type, const IpPacketView& ip, std::uint8_t protocol) noexcept {
  switch (type) {
    case VnetHeader::gso_tcp4:
      return ip.version == 4 && protocol == protocol_tcp;
    case VnetHeader::gso_tcp6:
      return ip.version == 6 && protocol == protocol_tcp;
    case VnetHeader::gso_udp_l4:
      return protocol == protocol_udp;
    default:
      return false;
  }
}

/// The IP header in front of `packet`, which is segment `first` of a train.
void write_ip(ByteSpan packet, std::size_t first) noexcept {
  if (packet[0] >> 4U == 4) {
    const std::uint16_t identification = load_be16(packet, v4_identification);
    store_be16(packet, v4_total_length, static_cast<std::uint16_t>(packet.size()));
    store_be16(packet, v4_identification, static_cast<std::uint16_t>(identification + first));
    store_be16(packet, v4_checksum, 0);
    InternetSum sum;
    sum.add(ByteView{packet}.first((packet[0] & 0x0fU) * std::size_t{4}));
    store_be16(packet, v4_checksum, sum.checksum());
  } else {
    store_be16(packet, v6_payload_length, static_cast<std::uint16_t>(packet.size() - v6_header));
  }
}

/// Returns the pseudo-header's sum for the bytes behind the IP header of `packet`.
InternetSum pseudo_sum_of(ByteView packet, std::uint8_t protocol, std::size_t length) noexcept {
  const bool is_v4 = packet[0] >> 4U == 4;
  const ByteView source = is_v4 ? packet.subspan(12, 4) : packet.subspan(8, 16);
  const ByteView target = is_v4 ? packet.subspan(16, 4) : packet.subspan(24, 16);
  return pseudo_header_sum(source, target, protocol, static_cast<std::uint32_t>(length));
}

}  // namespace

std::optional<GsoView> GsoView::of(ByteView packet, const VnetHeader& vnet) noexcept {
  const bool in_tunnel = (vnet.gso_type & VnetHeader::gso_udp_tunnel) != 0;
  const auto known = static_cast<std::uint8_t>(VnetHeader::needs_csum | VnetHeader::data_valid |
                                               (in_tunnel ? VnetHeader::udp_tunnel_csum : 0));
  if ((vnet.flags & ~known) != 0) return {};
  GsoView view{packet, vnet};
  const bool single = vnet.gso_type == VnetHeader::gso_none;
  if (!(single ? view.admit_single() : in_tunnel ? view.admit_tunnel() : view.admit_train())) {
    return {};
  }
  return view;
}

bool GsoView::admit_single() noexcept {
  const auto ip = IpPacketView::of(packet_);
  if (!ip) return false;
  traffic_class_ = ip->traffic_class;
  target_ = ip->target;
  if ((vnet_.flags & VnetHeader::needs_csum) == 0) return true;
  const std::size_t sum_at = std::size_t{vnet_.csum_start} + vnet_.csum_offset;
  // The sum must not be asked for inside the IP header: that would rewrite who the packet is from.
  return vnet_.csum_start >= ip->header_length && sum_at + 2 <= ip->total_length;
}

bool GsoView::admit_train() noexcept {
  const auto ip = IpPacketView::of(packet_);
  if (!ip || ip->total_length != packet_.size()) return false;
  traffic_class_ = ip->traffic_class;
  target_ = ip->target;
  return admit_transport(vnet_.gso_type);
}

/// The outer headers. What is between them and the inner IP header is the tunnel's own.
bool GsoView::admit_tunnel() noexcept {
  const bool outer_v6 =
      (vnet_.gso_type & VnetHeader::gso_udp_tunnel) == VnetHeader::gso_udp_tunnel6;
  const bool outer_v4 =
      (vnet_.gso_type & VnetHeader::gso_udp_tunnel) == VnetHeader::gso_udp_tunnel4;
  const auto ip = IpPacketView::of(packet_);
  if (!ip || ip->total_length != packet_.size()) return false;
  if (ip->version == 4 ? !outer_v4 : !outer_v6) return false;
  const auto udp = UdpView::of(packet_, *ip);
  if (!udp || udp->offset != vnet_.outer_transport) return false;
  if (udp->offset + udp_header_size + udp->payload.size() != packet_.size()) return false;
  const bool sums = (vnet_.flags & VnetHeader::udp_tunnel_csum) != 0;
  if (!sums && load_be16(packet_, udp->offset + udp_checksum) != 0) return false;
  traffic_class_ = ip->traffic_class;
  target_ = ip->target;
  outer_transport_ = vnet_.outer_transport;
  network_ = vnet_.inner_network;
  const std::size_t tunnel = outer_transport_ + udp_header_size;
  if (network_ < tunnel || network_ - tunnel > most_tunnel_bytes) return false;
  if (network_ >= packet_.size()) return false;
  const auto inner = static_cast<std::uint8_t>(vnet_.gso_type & ~VnetHeader::gso_udp_tunnel);
  // The outer sum is made of the inner one, and needs both to begin at the same parity.
  return admit_transport(inner) && (transport_ - outer_transport_) % 2 == 0;
}

/// The headers of what is cut, from the IP header at network_ on.
bool GsoView::admit_transport(std::uint8_t gso_type) noexcept {
  const ByteView packet = packet_.subspan(network_);
  const auto ip = IpPacketView::of(packet);
  if (!ip || ip->total_length != packet.size() || vnet_.gso_size == 0) return false;
  const auto place = TransportPlace::of(packet, *ip);
  if (!place) return false;
  is_v4_ = ip->version == 4;
  is_tcp_ = place->protocol == protocol_tcp;
  transport_ = static_cast<std::uint16_t>(network_ + place->offset);
  // ECN is a mark on the TCP types only.
  const auto type = static_cast<std::uint8_t>(gso_type & ~VnetHeader::gso_ecn);
  const bool marked = type != gso_type;
  if (!is_protocol_of(type, *ip, place->protocol) || (marked && !is_tcp_)) return false;
  const std::size_t sum_offset = is_tcp_ ? tcp_checksum : udp_checksum;
  if ((vnet_.flags & VnetHeader::needs_csum) == 0 || vnet_.csum_start != transport_ ||
      vnet_.csum_offset != sum_offset) {
    return false;
  }
  std::size_t payload = 0;
  if (is_tcp_) {
    const auto tcp = TcpView::of(packet, *ip);
    if (!tcp) return false;
    payload = tcp->payload.size();
  } else {
    const auto udp = UdpView::of(packet, *ip);
    if (!udp || place->offset + udp_header_size + udp->payload.size() != packet.size()) {
      return false;
    }
    payload = udp->payload.size();
  }
  header_size_ = packet_.size() - payload;
  segments_ = std::max<std::size_t>(1, (payload + vnet_.gso_size - 1) / vnet_.gso_size);
  return true;
}

ByteView GsoView::payload_of(std::size_t first, std::size_t count) const noexcept {
  TW_ASSERT(first < segments_ && count > 0 && count <= segments_ - first);
  const ByteView payload = packet_.subspan(header_size_);
  const std::size_t begin = first * vnet_.gso_size;
  return payload.subspan(begin, std::min(count * vnet_.gso_size, payload.size() - begin));
}

std::size_t GsoView::slice_length(std::size_t first, std::size_t count) const noexcept {
  if (header_size_ == 0) {
    TW_ASSERT(first == 0 && count == 1);
    return packet_.size();
  }
  return header_size_ + payload_of(first, count).size();
}

std::size_t GsoView::wire_bytes(std::size_t frame_overhead) const noexcept {
  return packet_.size() + (segments_ - 1) * header_size_ + segments_ * frame_overhead;
}

/// The headers of segments [first, first + count), all but the transport checksums, whose fields
/// are left zero.
void GsoView::write_headers(std::size_t first, std::size_t count, ByteSpan out) const noexcept {
  const std::size_t length = slice_length(first, count);
  TW_ASSERT(out.size() >= length);
  std::memcpy(out.data(), packet_.data(), header_size_);
  const ByteSpan packet = out.first(length);
  if (is_tunnel()) {
    write_ip(packet, first);
    store_be16(packet, outer_transport_ + udp_length,
               static_cast<std::uint16_t>(length - outer_transport_));
  }
  write_ip(packet.subspan(network_), first);
  write_transport(first, count, packet.subspan(transport_));
}

void GsoView::write_transport(std::size_t first, std::size_t count,
                              ByteSpan transport) const noexcept {
  if (is_tcp_) {
    const auto before = static_cast<std::uint32_t>(first * vnet_.gso_size);
    store_be32(transport, tcp_sequence, load_be32(transport, tcp_sequence) + before);
    unsigned cleared = 0;
    if (first + count < segments_) cleared |= TcpView::fin | TcpView::psh;
    if (first > 0) cleared |= TcpView::cwr;
    transport[tcp_flags] = static_cast<std::uint8_t>(transport[tcp_flags] & ~cleared);
    store_be16(transport, tcp_checksum, 0);
  } else {
    store_be16(transport, udp_length, static_cast<std::uint16_t>(transport.size()));
    store_be16(transport, udp_checksum, 0);
  }
}

std::uint16_t GsoView::pseudo_sum(std::size_t length) const noexcept {
  return pseudo_sum_of(packet_.subspan(network_), is_tcp_ ? protocol_tcp : protocol_udp, length)
      .folded();
}

/// The checksum of the outer UDP header of `packet`, which is `count` segments and otherwise done.
/// For one segment it is the finished one, and no byte of the payload is read for it: with its
/// pseudo-header and a right checksum, all that the inner checksum covers sums to nothing, so it
/// counts as the complement of that pseudo-header (the kernel's "local checksum offload").
void GsoView::write_outer_sum(std::size_t count, ByteSpan packet) const noexcept {
  if ((vnet_.flags & VnetHeader::udp_tunnel_csum) == 0) return;
  InternetSum sum = pseudo_sum_of(packet, protocol_udp, packet.size() - outer_transport_);
  const std::size_t sum_at = outer_transport_ + udp_checksum;
  if (count > 1) return store_be16(packet, sum_at, sum.folded());
  store_be16(packet, sum_at, 0);
  sum.add(ByteView{packet}.subspan(outer_transport_, transport_ - outer_transport_));
  sum.add_number(static_cast<std::uint16_t>(~pseudo_sum(packet.size() - transport_)));
  store_be16(packet, sum_at, nonzero(sum.checksum()));
}

GsoSlice GsoView::slice(std::size_t first, std::size_t count, ByteSpan out) const noexcept {
  const std::size_t length = slice_length(first, count);
  TW_ASSERT(out.size() >= length);
  VnetHeader vnet = vnet_;
  vnet.header_length = static_cast<std::uint16_t>(header_size_);
  if (header_size_ == 0) {
    std::memcpy(out.data(), packet_.data(), length);
    vnet.gso_size = 0;
    return {length, vnet};
  }
  write_headers(first, count, out);
  const ByteView payload = payload_of(first, count);
  if (!payload.empty()) std::memcpy(out.data() + header_size_, payload.data(), payload.size());
  const std::size_t sum_at = std::size_t{vnet.csum_start} + vnet.csum_offset;
  store_be16(out, sum_at, pseudo_sum(length - transport_));
  if (is_tunnel()) write_outer_sum(count, out.first(length));
  vnet.flags = static_cast<std::uint8_t>(vnet.flags & ~VnetHeader::data_valid);
  if (first > 0) vnet.gso_type = static_cast<std::uint8_t>(vnet.gso_type & ~VnetHeader::gso_ecn);
  if (count == 1) {
    vnet = {.flags = VnetHeader::needs_csum,
            .csum_start = vnet.csum_start,
            .csum_offset = vnet.csum_offset};
  }
  return {length, vnet};
}

std::size_t GsoView::segment(std::size_t index, ByteSpan out) const noexcept {
  const std::size_t length = slice_length(index, 1);
  TW_ASSERT(out.size() >= length);
  if (header_size_ == 0) {
    std::memcpy(out.data(), packet_.data(), length);
    TW_ASSERT(complete_checksum(out.first(length), vnet_));  // of() has admitted it
    return length;
  }
  write_headers(index, 1, out);
  InternetSum sum;
  sum.add_number(pseudo_sum(length - transport_));
  const ByteView payload = payload_of(index, 1);
  // Headers are of even length, so the payload begins at an even offset of what is summed.
  sum.add(ByteView{out}.subspan(transport_, header_size_ - transport_));
  sum.add_copying(payload, out.subspan(header_size_, payload.size()));
  const std::size_t sum_at = std::size_t{vnet_.csum_start} + vnet_.csum_offset;
  store_be16(out, sum_at, nonzero(sum.checksum()));
  if (is_tunnel()) write_outer_sum(1, out.first(length));
  return length;
}

bool complete_checksum(ByteSpan packet, const VnetHeader& vnet) noexcept {
  const auto view = GsoView::of(packet, vnet);
  if (!view || vnet.gso_type != VnetHeader::gso_none) return false;
  if ((vnet.flags & VnetHeader::needs_csum) == 0) return true;
  const auto ip = IpPacketView::of(packet);
  InternetSum sum;
  sum.add(ByteView{packet}.first(ip->total_length).subspan(vnet.csum_start));
  const std::size_t sum_at = std::size_t{vnet.csum_start} + vnet.csum_offset;
  store_be16(packet, sum_at, nonzero(sum.checksum()));
  return true;
}

}  // namespace tw
