// struct virtio_net_hdr as a TUN with IFF_VNET_HDR puts it before each packet: how the packet is to
// be segmented and what of its checksum is still to be done (virtio 1.2, section 5.1.6).
#pragma once

#include <cstdint>

namespace tw {

struct VnetHeader {
  static constexpr std::uint8_t needs_csum = 1;  ///< flags: checksum to be filled in
  static constexpr std::uint8_t data_valid = 2;  ///< flags: the kernel has verified the checksum
  static constexpr std::uint8_t gso_none = 0;
  static constexpr std::uint8_t gso_tcp4 = 1;
  static constexpr std::uint8_t gso_tcp6 = 4;
  static constexpr std::uint8_t gso_udp_l4 = 5;
  static constexpr std::uint8_t gso_ecn = 0x80;  ///< or-ed to a TCP type: CWR on the first segment

  std::uint8_t flags = 0;
  std::uint8_t gso_type = gso_none;
  std::uint16_t header_length = 0;  ///< bytes of IP + TCP/UDP header; a hint, never to be trusted
  std::uint16_t gso_size = 0;       ///< bytes of payload in each segment but the last
  std::uint16_t csum_start = 0;     ///< offset of the bytes the checksum covers
  std::uint16_t csum_offset = 0;    ///< offset of the sum itself, from csum_start

  friend constexpr bool operator==(const VnetHeader&, const VnetHeader&) noexcept = default;
};
static_assert(sizeof(VnetHeader) == 10);  // host order, as TUNSETVNETLE is not set

}  // namespace tw
