// struct virtio_net_hdr as a TUN with IFF_VNET_HDR puts it before each packet: how the packet is to
// be segmented and what of its checksum is still to be done (virtio 1.2, section 5.1.6). From Linux
// 6.17 on a TUN may also hand over trains of which each segment is a packet inside a UDP tunnel
// (VXLAN, Geneve); the header is longer then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace tw {

struct VnetHeader {
  static constexpr std::uint8_t needs_csum = 1;  ///< flags: checksum to be filled in
  static constexpr std::uint8_t data_valid = 2;  ///< flags: the kernel has verified the checksum
  /// flags: so is the checksum of the outer UDP header. include/uapi/linux/virtio_net.h of Linux
  /// 6.17: VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM.
  static constexpr std::uint8_t udp_tunnel_csum = 8;
  static constexpr std::uint8_t gso_none = 0;
  static constexpr std::uint8_t gso_tcp4 = 1;
  static constexpr std::uint8_t gso_tcp6 = 4;
  static constexpr std::uint8_t gso_udp_l4 = 5;
  /// Or-ed to one of the three: it is inside a UDP tunnel of this family. The same header:
  /// VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 and _IPV6.
  static constexpr std::uint8_t gso_udp_tunnel4 = 0x20;
  static constexpr std::uint8_t gso_udp_tunnel6 = 0x40;
  static constexpr std::uint8_t gso_udp_tunnel = gso_udp_tunnel4 | gso_udp_tunnel6;
  static constexpr std::uint8_t gso_ecn = 0x80;  ///< or-ed to a TCP type: CWR on the first segment

  /// Bytes before a packet: struct virtio_net_hdr, and struct virtio_net_hdr_v1_hash_tunnel.
  static constexpr std::size_t plain_size = 10, tunnel_size = 24;

  std::uint8_t flags = 0;
  std::uint8_t gso_type = gso_none;
  std::uint16_t header_length = 0;  ///< bytes of all headers together; a hint, never to be trusted
  std::uint16_t gso_size = 0;       ///< bytes of payload in each segment but the last
  std::uint16_t csum_start = 0;     ///< offset of the bytes the checksum covers
  std::uint16_t csum_offset = 0;    ///< offset of the sum itself, from csum_start
  // In the longer header only, behind twelve bytes about other things; else zero.
  std::uint16_t outer_transport = 0;  ///< offset of the outer UDP header
  std::uint16_t inner_network = 0;    ///< offset of the inner IP header

  /// `bytes`: plain_size or tunnel_size of them.
  static VnetHeader load(ByteView bytes) noexcept {
    VnetHeader header;
    std::memcpy(static_cast<void*>(&header), bytes.data(), plain_size);
    if (bytes.size() == tunnel_size) {
      header.outer_transport = load_little(bytes, 20);
      header.inner_network = load_little(bytes, 22);
    }
    return header;
  }
  void store(ByteSpan out) const noexcept {
    std::memcpy(out.data(), static_cast<const void*>(this), plain_size);
    if (out.size() == tunnel_size) {
      std::memset(out.data() + plain_size, 0, 10);  // buffers, and a hash of the flow
      store_little(out, 20, outer_transport);
      store_little(out, 22, inner_network);
    }
  }

  friend constexpr bool operator==(const VnetHeader&, const VnetHeader&) noexcept = default;

 private:
  // The other fields are in host order, as TUNSETVNETLE is not set; these never are.
  static std::uint16_t load_little(ByteView bytes, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(bytes[at] | bytes[at + 1] << 8U);
  }
  static void store_little(ByteSpan out, std::size_t at, std::uint16_t value) noexcept {
    out[at] = static_cast<std::uint8_t>(value);
    out[at + 1] = static_cast<std::uint8_t>(value >> 8U);
  }
};
static_assert(offsetof(VnetHeader, outer_transport) == VnetHeader::plain_size);
static_assert(sizeof(VnetHeader) == VnetHeader::plain_size + 4);

}  // namespace tw
