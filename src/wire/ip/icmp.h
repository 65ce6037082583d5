// A router's answer when it cannot forward a packet: ICMP destination unreachable and packet too
// big, so that the sender's connect() fails at once instead of after two minutes. RFC 792, RFC 1122
// section 3.2.2, RFC 1812 section 4.3 and RFC 4443; the choice of codes is that of the kernel's
// WireGuard device (wg_xmit).
//
// The message comes from the address that could not be reached: a router has no other that the
// sender's host is sure to accept from this interface (its own addresses would be martians there,
// and any other may fail reverse-path filtering).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace tw {

inline constexpr std::uint8_t protocol_icmp4 = 1;
inline constexpr std::uint8_t protocol_icmp6 = 58;

/// The longest message: what every IPv6 link carries. IPv4's limit is 576.
inline constexpr std::size_t icmp_error_max = 1280;

/// Why a packet was not forwarded.
struct Undelivered {
  enum class Why : std::uint8_t {
    no_way,   ///< ICMPv4 3/1 host unreachable, ICMPv6 1/3 address unreachable
    too_big,  ///< ICMPv4 3/4 fragmentation needed, ICMPv6 2/0 packet too big
  };
  Why why = Why::no_way;
  std::uint32_t mtu = 0;  ///< too_big: bytes that would have passed, IP header included
};

/// Writes the whole IP packet that answers `packet` to `out`, which must have icmp_error_max bytes
/// and not overlap it. Returns its length; 0 if there must be no answer, because the packet
///  - is no whole IP packet, or one whose upper protocol cannot be told,
///  - is an ICMP error or redirect itself,
///  - is a fragment other than the first,
///  - goes to more than one host, or to none,
///  - comes from an address that is not one host's: unspecified, loopback, multicast, reserved.
/// Quotes as much of the packet as fits. Cost: one pass over at most icmp_error_max bytes.
std::size_t icmp_undelivered(ByteView packet, const Undelivered& reason, ByteSpan out) noexcept;

}  // namespace tw
