// TCP (RFC 9293) and UDP (RFC 768) headers inside an IP packet, as views that were bounds-checked
// once. Fragments have no view: only the first one has the header, and no one has the whole
// payload.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/ip/ip_packet.h"

namespace tw {

inline constexpr std::uint8_t protocol_tcp = 6;
inline constexpr std::uint8_t protocol_udp = 17;
inline constexpr std::size_t tcp_min_header = 20;
inline constexpr std::size_t udp_header_size = 8;

/// Where the transport header of a packet is and what it is.
struct TransportPlace {
  std::uint8_t protocol;
  std::uint16_t offset;  ///< from the start of the packet; at most its total_length

  /// Steps over IPv6 hop-by-hop and destination options, 256 bytes of them. Empty for fragments,
  /// for options that do not fit, and for a routing header, whose pseudo-header is another.
  static std::optional<TransportPlace> of(ByteView packet, const IpPacketView& ip) noexcept;
};

struct TcpView {
  static constexpr std::uint8_t fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10,
                                urg = 0x20, ece = 0x40, cwr = 0x80;

  std::uint16_t source_port, target_port;
  std::uint32_t sequence, acknowledgement;
  std::uint8_t flags;
  std::uint16_t window;  ///< unscaled, as in the header
  std::uint16_t offset;  ///< of the TCP header in the packet
  ByteView options;      ///< unparsed
  ByteView payload;      ///< to the packet's total_length

  /// `ip` must be of `packet`. Empty unless it is TCP, no fragment, and the header is whole.
  static std::optional<TcpView> of(ByteView packet, const IpPacketView& ip) noexcept;

  /// True if IPv4's header checksum and TCP's checksum hold. Reads the whole packet, which must be
  /// the one that this is a view of.
  bool is_intact(ByteView packet, const IpPacketView& ip) const noexcept;
};

struct UdpView {
  std::uint16_t source_port, target_port;
  std::uint16_t offset;  ///< of the UDP header in the packet
  ByteView payload;      ///< as the UDP length says

  /// `ip` must be of `packet`. Empty unless it is UDP, no fragment, and its length is at least the
  /// header's and fits the packet.
  static std::optional<UdpView> of(ByteView packet, const IpPacketView& ip) noexcept;
};

}  // namespace tw
