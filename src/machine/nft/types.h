// The values of nftables text as the octets that the kernel compares.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tw::nft {

using Octets = std::vector<std::uint8_t>;

/// Numbers are those of nft's own list of types: the kernel keeps them for whoever lists the set.
enum class Type : std::uint32_t {
  nfproto = 2,
  ipv4_addr = 7,
  ipv6_addr = 8,
  inet_proto = 12,
  inet_service = 13,
  icmp_type = 14,
  tcp_flag = 15,
  mark = 19,
  iface_index = 20,
  ct_state = 26,
  ct_dir = 27,
  ct_status = 28,
  icmpv6_type = 29,
  fib_addrtype = 38,
  boolean = 39,
  ifname = 41,
};

/// From the first value to the last, both included.
struct Range {
  Octets first, last;
  /// The bits that all its values share, if that is what makes the range: a prefix's netmask.
  std::optional<Octets> netmask{};
};

std::size_t size_of(Type type) noexcept;  ///< in octets
/// As nft classes it; else in host order.
bool is_big_endian(Type type) noexcept;
/// "ipv4_addr", as a set declares its type.
std::optional<Type> type_named(std::string_view name) noexcept;
/// A value ("established", "10.0.0.1"), a range ("80-90") or a prefix ("10.0.0.0/8").
std::optional<Range> parse_range(Type type, std::string_view text);
/// The value that comes next; none after the last of all.
std::optional<Octets> successor(Octets value);

}  // namespace tw::nft
