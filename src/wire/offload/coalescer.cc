#include "wire/offload/coalescer.h"

#include <cstring>

#include "base/assert.h"
#include "wire/be.h"
#include "wire/checksum.h"
#include "wire/ip/transport.h"

namespace tw {
namespace {

constexpr std::size_t buffer_bytes = 65536;
constexpr std::size_t most_bytes = 65535;       // an IP packet's
constexpr std::uint16_t most_udp_packets = 64;  // UDP_GRO_CNT_MAX
constexpr std::size_t v4_header = 20, v6_header = 40;
constexpr std::uint16_t dont_fragment = 0x4000;

bool same(ByteView a, ByteView b, std::size_t offset, std::size_t size) noexcept {
  return std::memcmp(a.data() + offset, b.data() + offset, size) == 0;
}

/// Addresses and ports lie together in IPv4 without options, and in IPv6 without extension headers.
constexpr std::size_t tuple_offset(bool v4) noexcept { return v4 ? 12 : 8; }
constexpr std::size_t tuple_size(bool v4) noexcept { return v4 ? 12 : 36; }

/// Quick, and of no consequence if somebody finds collisions: it spares comparisons, no more.
std::uint32_t hash_of(ByteView packet, bool v4) noexcept {
  std::uint32_t hash = 0;
  const std::size_t end = tuple_offset(v4) + tuple_size(v4);
  for (std::size_t at = tuple_offset(v4); at < end; at += 4) {
    hash = (hash ^ load_be32(packet, at)) * 0x9e3779b1U;
  }
  return hash;
}

/// Compares two IPv4 headers: only length, identification and checksum may differ.
bool same_v4_header(ByteView first, ByteView packet, std::uint16_t packets_before) noexcept {
  if (!same(first, packet, 0, 2) || !same(first, packet, 6, 4)) return false;
  const std::uint16_t before = load_be16(first, 4), here = load_be16(packet, 4);
  if (here == static_cast<std::uint16_t>(before + packets_before)) return true;
  // A packet that nobody may cut needs no identification (RFC 6864): some stacks leave it alone.
  return here == before && (load_be16(first, 6) & dont_fragment) != 0;
}

bool same_v6_header(ByteView first, ByteView packet) noexcept {
  return same(first, packet, 0, 4) && same(first, packet, 6, 2);
}

/// Copies what follows the first `headers` bytes of `packet`, a TCP or UDP packet whose transport
/// header is at `transport`, to `out`, and verifies what `packet` says of all its bytes on the way.
/// False if a checksum does not hold; then `out` has bytes that are worth nothing.
bool copy_verified(ByteView packet, std::size_t transport, std::size_t headers,
                   ByteSpan out) noexcept {
  const bool v4 = transport == v4_header;
  if (v4) {
    InternetSum ip;
    ip.add(packet.first(v4_header));
    if (ip.checksum() != 0) return false;
  }
  // Both addresses and the whole transport header lie side by side. Headers are of even length, so
  // the payload begins at an even offset of what is summed.
  InternetSum sum;
  sum.add(packet.subspan(tuple_offset(v4), headers - tuple_offset(v4)));
  sum.add_number(packet[v4 ? 9 : 6]);
  sum.add_number(static_cast<std::uint16_t>(packet.size() - transport));
  sum.add_copying(packet.subspan(headers), out);
  return sum.checksum() == 0;
}

}  // namespace

Coalescer::Coalescer(std::size_t packets, std::size_t trains)
    : capacity_(packets), buffers_(trains), storage_(new std::uint8_t[trains * buffer_bytes]) {
  joined_.reserve(packets);
  shapes_.reserve(packets);
}

bool Coalescer::shape_of(ByteView packet, const IpPacketView& ip, Shape& shape) const noexcept {
  shape.v4 = ip.version == 4;
  const std::size_t ip_header = shape.v4 ? v4_header : v6_header;
  if (ip.header_length != ip_header || ip.fragment) return false;
  shape.transport = static_cast<std::uint16_t>(ip_header);
  shape.tcp = ip.protocol == protocol_tcp;
  if (shape.tcp) {
    if (!kinds_.tcp || packet.size() < ip_header + tcp_min_header) return false;
    const std::size_t tcp_header = (packet[ip_header + 12] >> 4U) * std::size_t{4};
    if (tcp_header < tcp_min_header || tcp_header > packet.size() - ip_header) return false;
    shape.headers = static_cast<std::uint16_t>(ip_header + tcp_header);
    shape.flags = packet[ip_header + 13];
    shape.sequence = load_be32(packet, ip_header + 4);
    constexpr unsigned harmless = TcpView::ack | TcpView::psh | TcpView::ece;
    shape.may_begin = (shape.flags & ~harmless) == 0;
    shape.ends = (shape.flags & (TcpView::psh | TcpView::fin)) != 0;
  } else {
    if (!kinds_.udp || ip.protocol != protocol_udp || packet.size() < ip_header + udp_header_size) {
      return false;
    }
    if (load_be16(packet, ip_header + 4) != packet.size() - ip_header) return false;
    shape.headers = static_cast<std::uint16_t>(ip_header + udp_header_size);
    // Without a checksum of its own it must not be given one.
    shape.may_begin = load_be16(packet, ip_header + 6) != 0;
  }
  shape.payload = static_cast<std::uint32_t>(packet.size() - shape.headers);
  shape.may_begin = shape.may_begin && shape.payload > 0;
  return true;
}

Coalescer::Flow* Coalescer::find(std::uint32_t hash, ByteView packet, const Shape& shape) noexcept {
  const auto is_it = [&](const Flow& flow) {
    return flow.hash == hash && flow.first.v4 == shape.v4 && flow.first.tcp == shape.tcp &&
           std::memcmp(joined_[flow.entry].bytes + tuple_offset(shape.v4),
                       packet.data() + tuple_offset(shape.v4), tuple_size(shape.v4)) == 0;
  };
  if (flow_count_ == 0) return nullptr;
  if (is_it(flows_[latest_])) return &flows_[latest_];
  for (std::size_t i = 0; i < flow_count_; ++i) {
    if (is_it(flows_[i])) {
      latest_ = i;
      return &flows_[i];
    }
  }
  return nullptr;
}

bool Coalescer::can_join(const Flow& flow, ByteView packet, const Shape& shape) const noexcept {
  const JoinedPackets& train = joined_[flow.entry];
  const ByteView first{train.bytes, flow.first.headers};
  if (!flow.open || shape.headers != flow.first.headers || shape.payload == 0) return false;
  if (shape.payload > flow.first.payload || train.length + shape.payload > most_bytes) return false;
  const bool same_ip =
      shape.v4 ? same_v4_header(first, packet, train.packets) : same_v6_header(first, packet);
  if (!same_ip) return false;
  if (!shape.tcp) return shape.may_begin && train.packets < most_udp_packets;
  // Acknowledgement and data offset; window and, after the checksum, urgent pointer and options.
  const std::size_t tcp = shape.transport;
  constexpr unsigned may_differ = TcpView::psh | TcpView::fin;
  return shape.sequence == flow.next_sequence && same(first, packet, tcp + 8, 5) &&
         ((shape.flags ^ flow.first.flags) & ~may_differ) == 0 &&
         same(first, packet, tcp + 14, 2) &&
         same(first, packet, tcp + 18, shape.headers - tcp - 18);
}

bool Coalescer::join(Flow& flow, ByteView packet, const Shape& shape) noexcept {
  JoinedPackets& train = joined_[flow.entry];
  const bool begins = train.packets == 1;
  if (begins && buffers_used_ == buffers_) return false;
  std::uint8_t* const joined = begins ? storage_.get() + buffers_used_ * buffer_bytes : train.bytes;
  const ByteSpan end{joined + train.length, shape.payload};
  if (!copy_verified(packet, shape.transport, shape.headers, end)) return false;
  if (begins) {
    const ByteView first{train.bytes, train.length};
    const ByteSpan payload{joined + shape.headers, flow.first.payload};
    if (!copy_verified(first, shape.transport, shape.headers, payload)) return false;
    std::memcpy(joined, first.data(), shape.headers);
    train.bytes = joined;
    ++buffers_used_;
  }
  train.length += shape.payload;
  ++train.packets;
  if (shape.tcp) train.bytes[shape.transport + 13] |= shape.flags & (TcpView::psh | TcpView::fin);
  flow.next_sequence += shape.payload;
  flow.open = !shape.ends && shape.payload == flow.first.payload;
  return true;
}

void Coalescer::add(ByteSpan packet, const IpPacketView& ip) noexcept {
  TW_DASSERT(!full());
  Shape shape;
  const bool of_flow = shape_of(packet, ip, shape);
  std::uint32_t hash = 0;
  if (of_flow) {
    hash = hash_of(packet, shape.v4);
    Flow* flow = find(hash, packet, shape);
    if (flow != nullptr) {
      if (can_join(*flow, packet, shape) && join(*flow, packet, shape)) return;
      flow->open = false;  // nothing that comes later may overtake this packet
    }
  }
  joined_.push_back({packet.data(), static_cast<std::uint32_t>(packet.size()), 1, {}});
  shapes_.push_back(shape);
  if (of_flow && shape.may_begin && !shape.ends) remember(hash, shape);
}

void Coalescer::remember(std::uint32_t hash, const Shape& shape) noexcept {
  const auto entry = static_cast<std::uint32_t>(joined_.size() - 1);
  const Flow flow{hash, entry, shape, shape.sequence + shape.payload, true};
  const JoinedPackets& packet = joined_.back();
  if (Flow* before = find(hash, {packet.bytes, packet.length}, shape)) {
    *before = flow;
    return;
  }
  // With more flows than are remembered one is forgotten: its next packet begins a train anew.
  latest_ = flow_count_ < flows_remembered ? flow_count_++ : (latest_ + 1) % flows_remembered;
  flows_[latest_] = flow;
}

std::span<JoinedPackets> Coalescer::finish() noexcept {
  for (std::size_t i = 0; i < joined_.size(); ++i) {
    JoinedPackets& train = joined_[i];
    if (train.packets == 1) continue;
    const Shape& shape = shapes_[i];
    const ByteSpan bytes{train.bytes, train.length};
    const std::size_t transport_length = train.length - shape.transport;
    if (shape.v4) {
      store_be16(bytes, 2, static_cast<std::uint16_t>(train.length));
      store_be16(bytes, 10, 0);
      InternetSum sum;
      sum.add(ByteView{bytes}.first(v4_header));
      store_be16(bytes, 10, sum.checksum());
    } else {
      store_be16(bytes, 4, static_cast<std::uint16_t>(transport_length));
    }
    if (!shape.tcp) {
      store_be16(bytes, shape.transport + std::size_t{4},
                 static_cast<std::uint16_t>(transport_length));
    }
    const std::size_t address = shape.v4 ? 4 : 16;
    const std::size_t source = tuple_offset(shape.v4);
    VnetHeader& vnet = train.vnet;
    vnet.flags = VnetHeader::needs_csum;
    vnet.gso_type = !shape.tcp ? VnetHeader::gso_udp_l4
                    : shape.v4 ? VnetHeader::gso_tcp4
                               : VnetHeader::gso_tcp6;
    vnet.header_length = shape.headers;
    vnet.gso_size = static_cast<std::uint16_t>(shape.payload);
    vnet.csum_start = shape.transport;
    vnet.csum_offset = shape.tcp ? 16 : 6;
    const std::uint16_t half_done =
        pseudo_header_sum(bytes.subspan(source, address), bytes.subspan(source + address, address),
                          shape.tcp ? protocol_tcp : protocol_udp,
                          static_cast<std::uint32_t>(transport_length))
            .folded();
    store_be16(bytes, std::size_t{vnet.csum_start} + vnet.csum_offset, half_done);
  }
  return joined_;
}

void Coalescer::clear() noexcept {
  joined_.clear();
  shapes_.clear();
  flow_count_ = latest_ = 0;
  buffers_used_ = 0;
}

}  // namespace tw
