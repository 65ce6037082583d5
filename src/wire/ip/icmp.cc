#include "wire/ip/icmp.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/assert.h"
#include "wire/address.h"
#include "wire/be.h"
#include "wire/checksum.h"
#include "wire/ip/ip_header.h"
#include "wire/ip/ip_packet.h"

namespace tw {
namespace {

constexpr std::size_t icmp_header = 8;
constexpr std::size_t v4_error_max = 576;
/// RFC 1812, section 4.3.2.5: errors travel as internetwork control.
constexpr std::uint8_t v4_precedence = 0xc0;

/// Extension headers that a chain may have here: more is nobody's honest packet.
constexpr int extensions_max = 8;
constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, authentication = 51,
                       destination_options = 60;

/// The upper protocol of a packet and where its header is.
struct Upper {
  std::uint8_t protocol;
  std::size_t offset;
};

std::optional<Upper> upper_of_v6(ByteView packet) noexcept {
  Upper upper{packet[6], ipv6_header_size};
  for (int steps = 0; steps < extensions_max; ++steps) {
    const bool is_fragment = upper.protocol == fragment;
    const bool is_authentication = upper.protocol == authentication;
    if (!is_fragment && !is_authentication && upper.protocol != hop_by_hop &&
        upper.protocol != routing && upper.protocol != destination_options) {
      return upper;
    }
    if (packet.size() < upper.offset + 8) return {};
    if (is_fragment && (load_be16(packet, upper.offset + 2) & 0xfff8U) != 0) return {};
    const std::size_t length = packet[upper.offset + 1];
    upper.protocol = packet[upper.offset];
    upper.offset += is_fragment ? 8 : is_authentication ? (length + 2) * 4 : (length + 1) * 8;
  }
  return {};
}

std::optional<Upper> upper_of(ByteView packet, const IpPacketView& ip) noexcept {
  if (ip.version == 6) return upper_of_v6(packet);
  if ((load_be16(packet, 6) & 0x1fffU) != 0) return {};
  return Upper{ip.protocol, ip.header_length};
}

/// An ICMP message that is answered by none: an error, or a redirect.
bool is_icmp_error(std::uint8_t version, std::uint8_t type) noexcept {
  constexpr std::array<std::uint8_t, 5> v4{3, 4, 5, 11, 12};
  constexpr std::uint8_t v6_first_informational = 128, v6_redirect = 137;
  if (version == 4) return std::ranges::find(v4, type) != v4.end();
  return type < v6_first_informational || type == v6_redirect;
}

bool is_one_host(ByteView octets) noexcept {
  constexpr std::uint8_t v4_this_network = 0, v4_reserved = 240;
  const IpAddress address = IpAddress::from_bytes(octets);
  if (address.is_unspecified() || address.is_loopback() || address.is_multicast()) return false;
  return !address.is_v4() || (octets[0] != v4_this_network && octets[0] < v4_reserved);
}

bool may_answer(ByteView packet, const IpPacketView& ip) noexcept {
  if (!is_one_host(ip.source) || !is_one_host(ip.target)) return false;
  const std::optional<Upper> upper = upper_of(packet, ip);
  if (!upper) return false;
  if (upper->protocol != (ip.version == 4 ? protocol_icmp4 : protocol_icmp6)) return true;
  return upper->offset < packet.size() && !is_icmp_error(ip.version, packet[upper->offset]);
}

/// Header and quote; the checksum still zero. Returns the length of both.
std::size_t write_icmp(ByteView packet, std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                       ByteSpan out) noexcept {
  const std::size_t quote = std::min(packet.size(), out.size() - icmp_header);
  out[0] = type;
  out[1] = code;
  store_be16(out, 2, 0);
  store_be32(out, 4, rest);
  std::copy_n(packet.begin(), quote, out.begin() + icmp_header);
  return icmp_header + quote;
}

std::size_t answer_v4(ByteView packet, const IpPacketView& ip, const Undelivered& reason,
                      ByteSpan out) noexcept {
  const bool too_big = reason.why == Undelivered::Why::too_big;
  const ByteSpan icmp = out.first(v4_error_max).subspan(ipv4_header_size);
  const std::size_t length =
      write_icmp(packet, 3, too_big ? 4 : 1, too_big ? std::min(reason.mtu, 0xffffU) : 0, icmp);
  InternetSum sum;
  sum.add(icmp.first(length));
  store_be16(icmp, 2, sum.checksum());

  write_ip_header({.source = ip.target,
                   .target = ip.source,
                   .protocol = protocol_icmp4,
                   .traffic_class = v4_precedence},
                  length, out);
  return ipv4_header_size + length;
}

std::size_t answer_v6(ByteView packet, const IpPacketView& ip, const Undelivered& reason,
                      ByteSpan out) noexcept {
  const bool too_big = reason.why == Undelivered::Why::too_big;
  const ByteSpan icmp = out.first(icmp_error_max).subspan(ipv6_header_size);
  const std::size_t length =
      write_icmp(packet, too_big ? 2 : 1, too_big ? 0 : 3, too_big ? reason.mtu : 0, icmp);
  InternetSum sum =
      pseudo_header_sum(ip.target, ip.source, protocol_icmp6, static_cast<std::uint32_t>(length));
  sum.add(icmp.first(length));
  store_be16(icmp, 2, sum.checksum());

  write_ip_header({.source = ip.target, .target = ip.source, .protocol = protocol_icmp6}, length,
                  out);
  return ipv6_header_size + length;
}

}  // namespace

std::size_t icmp_undelivered(ByteView packet, const Undelivered& reason, ByteSpan out) noexcept {
  TW_ASSERT(out.size() >= icmp_error_max);
  const std::optional<IpPacketView> ip = IpPacketView::of(packet);
  if (!ip) return 0;
  const ByteView whole = packet.first(ip->total_length);
  if (!may_answer(whole, *ip)) return 0;
  return ip->version == 4 ? answer_v4(whole, *ip, reason, out) : answer_v6(whole, *ip, reason, out);
}

}  // namespace tw
