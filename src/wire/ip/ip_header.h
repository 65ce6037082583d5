// The IP header in front of a packet that is ours from its first byte: what answers another packet
// (icmp, tcp_reset). IPv4 (RFC 791) without options, IPv6 (RFC 8200) without extension headers,
// flow label 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace tw {

inline constexpr std::size_t ipv4_header_size = 20, ipv6_header_size = 40;

/// The fields of an IP header. The length of the addresses, 4 or 16 bytes each, says which one it
/// is.
struct IpHeader {
  ByteView source, target;
  std::uint8_t protocol;
  std::uint8_t traffic_class = 0;  ///< TOS byte: DSCP and ECN

  std::size_t size() const noexcept {
    return source.size() == 4 ? ipv4_header_size : ipv6_header_size;
  }
};

/// Writes `header` to the first header.size() bytes of `out`, which must have them and not overlap
/// the addresses, for `payload` bytes that follow: at most 65,515. Hop limit 64; IPv4 says don't
/// fragment, and so needs no identification (RFC 6864, section 4.1).
void write_ip_header(const IpHeader& header, std::size_t payload, ByteSpan out) noexcept;

}  // namespace tw
