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

}  // namespace

std::optional<GsoView> GsoView::of(ByteView packet, const VnetHeader& vnet) noexcept {
  constexpr std::uint8_t known = VnetHeader::needs_csum | VnetHeader::data_valid;
  if ((vnet.flags & ~known) != 0) return {};
  GsoView view{packet, vnet};
  const bool single = vnet.gso_type == VnetHeader::gso_none;
  if (!(single ? view.admit_single() : view.admit_train())) return {};
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
  const auto place = TransportPlace::of(packet_, *ip);
  if (!place || vnet_.gso_size == 0) return false;
  traffic_class_ = ip->traffic_class;
  target_ = ip->target;
  is_v4_ = ip->version == 4;
  is_tcp_ = place->protocol == protocol_tcp;
  transport_ = place->offset;
  // ECN is a mark on the TCP types only.
  const auto type = static_cast<std::uint8_t>(vnet_.gso_type & ~VnetHeader::gso_ecn);
  const bool marked = type != vnet_.gso_type;
  if (!is_protocol_of(type, *ip, place->protocol) || (marked && !is_tcp_)) return false;
  const std::size_t sum_offset = is_tcp_ ? tcp_checksum : udp_checksum;
  if ((vnet_.flags & VnetHeader::needs_csum) == 0 || vnet_.csum_start != transport_ ||
      vnet_.csum_offset != sum_offset) {
    return false;
  }
  std::size_t payload = 0;
  if (is_tcp_) {
    const auto tcp = TcpView::of(packet_, *ip);
    if (!tcp) return false;
    payload = tcp->payload.size();
  } else {
    const auto udp = UdpView::of(packet_, *ip);
    if (!udp || transport_ + udp_header_size + udp->payload.size() != packet_.size()) return false;
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

/// The headers of segments [first, first + count), all but the transport checksum, whose field is
/// left zero.
void GsoView::write_headers(std::size_t first, std::size_t count, ByteSpan out) const noexcept {
  const std::size_t length = slice_length(first, count);
  TW_ASSERT(out.size() >= length);
  std::memcpy(out.data(), packet_.data(), header_size_);
  if (is_v4_) {
    const std::uint16_t identification = load_be16(packet_, v4_identification);
    store_be16(out, v4_total_length, static_cast<std::uint16_t>(length));
    store_be16(out, v4_identification, static_cast<std::uint16_t>(identification + first));
    store_be16(out, v4_checksum, 0);
    InternetSum sum;
    sum.add(ByteView{out}.first((out[0] & 0x0fU) * std::size_t{4}));
    store_be16(out, v4_checksum, sum.checksum());
  } else {
    store_be16(out, v6_payload_length, static_cast<std::uint16_t>(length - v6_header));
  }
  const ByteSpan transport = out.subspan(transport_);
  if (is_tcp_) {
    const auto before = static_cast<std::uint32_t>(first * vnet_.gso_size);
    store_be32(transport, tcp_sequence, load_be32(transport, tcp_sequence) + before);
    unsigned cleared = 0;
    if (first + count < segments_) cleared |= TcpView::fin | TcpView::psh;
    if (first > 0) cleared |= TcpView::cwr;
    transport[tcp_flags] = static_cast<std::uint8_t>(transport[tcp_flags] & ~cleared);
    store_be16(transport, tcp_checksum, 0);
  } else {
    store_be16(transport, udp_length, static_cast<std::uint16_t>(length - transport_));
    store_be16(transport, udp_checksum, 0);
  }
}

std::uint16_t GsoView::pseudo_sum(std::size_t length) const noexcept {
  const ByteView source = is_v4_ ? packet_.subspan(12, 4) : packet_.subspan(8, 16);
  const ByteView target = is_v4_ ? packet_.subspan(16, 4) : packet_.subspan(24, 16);
  return pseudo_header_sum(source, target, is_tcp_ ? protocol_tcp : protocol_udp,
                           static_cast<std::uint32_t>(length))
      .folded();
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
  vnet.flags = VnetHeader::needs_csum;
  if (first > 0) vnet.gso_type = static_cast<std::uint8_t>(vnet.gso_type & ~VnetHeader::gso_ecn);
  if (count == 1) {
    vnet.gso_type = VnetHeader::gso_none;
    vnet.gso_size = 0;
    vnet.header_length = 0;
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
