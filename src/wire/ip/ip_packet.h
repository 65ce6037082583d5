// Just enough of an inner IP packet to route it: version, addresses, length. IPv4 (RFC 791) and
// IPv6 (RFC 8200).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace tw {

struct IpPacketView {
  std::uint8_t version;         ///< 4 or 6
  std::uint8_t traffic_class;   ///< TOS byte: DSCP and ECN
  std::uint16_t header_length;  ///< IPv4 with options; 40 for IPv6, extension headers not counted
  std::uint32_t total_length;   ///< as the header says it; at most the bytes given
  std::uint8_t protocol;        ///< IPv4 protocol, IPv6 next header
  ByteView source, target;      ///< 4 or 16 bytes each, inside the packet
  bool fragment = false;        ///< IPv4: one of several; IPv6 says it in an extension header

  /// Empty unless the header is whole and its length fits: header <= total <= packet.size(). Bytes
  /// beyond total_length are padding. IPv6 jumbograms are refused.
  static std::optional<IpPacketView> of(ByteView packet) noexcept;
};

}  // namespace tw
