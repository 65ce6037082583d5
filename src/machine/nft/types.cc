#include "machine/nft/types.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>

#include "wire/address.h"

namespace tw::nft {
namespace {

struct Named {
  Type type;
  std::string_view name;
  std::uint32_t value;
};

// As uapi/linux/netfilter.h, in.h, rtnetlink.h and nf_conntrack_common.h number them.
constexpr std::array names{
    Named{Type::nfproto, "ipv4", 2},           Named{Type::nfproto, "ipv6", 10},
    Named{Type::inet_proto, "icmp", 1},        Named{Type::inet_proto, "tcp", 6},
    Named{Type::inet_proto, "udp", 17},        Named{Type::inet_proto, "ipv6-icmp", 58},
    Named{Type::icmp_type, "echo-request", 8}, Named{Type::icmpv6_type, "echo-request", 128},
    Named{Type::tcp_flag, "fin", 1},           Named{Type::tcp_flag, "syn", 2},
    Named{Type::tcp_flag, "rst", 4},           Named{Type::tcp_flag, "ack", 16},
    Named{Type::ct_state, "invalid", 1},       Named{Type::ct_state, "established", 2},
    Named{Type::ct_state, "related", 4},       Named{Type::ct_state, "new", 8},
    Named{Type::ct_state, "untracked", 64},    Named{Type::ct_dir, "original", 0},
    Named{Type::ct_status, "confirmed", 8},    Named{Type::ct_dir, "reply", 1},
    Named{Type::fib_addrtype, "unicast", 1},   Named{Type::fib_addrtype, "local", 2},
    Named{Type::fib_addrtype, "broadcast", 3}, Named{Type::fib_addrtype, "multicast", 5},
    Named{Type::iface_index, "lo", 1},
};

struct TypeName {
  Type type;
  std::string_view name;
  std::size_t size;
  bool big_endian;
};

constexpr std::array types{
    TypeName{Type::nfproto, "nf_proto", 1, true},
    TypeName{Type::ipv4_addr, "ipv4_addr", 4, true},
    TypeName{Type::ipv6_addr, "ipv6_addr", 16, true},
    TypeName{Type::inet_proto, "inet_proto", 1, true},
    TypeName{Type::inet_service, "inet_service", 2, true},
    TypeName{Type::icmp_type, "icmp_type", 1, true},
    TypeName{Type::tcp_flag, "tcp_flag", 1, true},
    TypeName{Type::mark, "mark", 4, false},
    TypeName{Type::iface_index, "iface_index", 4, false},
    TypeName{Type::ct_state, "ct_state", 4, false},
    TypeName{Type::ct_dir, "ct_dir", 1, true},
    TypeName{Type::ct_status, "ct_status", 4, false},
    TypeName{Type::icmpv6_type, "icmpv6_type", 1, true},
    TypeName{Type::fib_addrtype, "fib_addrtype", 4, false},
    TypeName{Type::boolean, "boolean", 1, true},
    TypeName{Type::ifname, "ifname", 16, true},
};

const TypeName& description_of(Type type) {
  return *std::ranges::find(types, type, &TypeName::type);
}

Octets number_octets(const TypeName& type, std::uint32_t value) {
  Octets octets(type.size);
  if (!type.big_endian) {
    std::memcpy(octets.data(), &value, sizeof value);
    return octets;
  }
  for (std::size_t i = 0; i < type.size; ++i) {
    octets[type.size - 1 - i] = static_cast<std::uint8_t>(value >> (8U * i));
  }
  return octets;
}

std::optional<Octets> address_octets(Type type, std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address || address->is_v4() != (type == Type::ipv4_addr)) return {};
  const ByteView bytes = address->bytes();
  return Octets(bytes.begin(), bytes.end());
}

std::optional<Octets> parse_value(Type type, std::string_view text) {
  if (type == Type::ipv4_addr || type == Type::ipv6_addr) return address_octets(type, text);
  const TypeName& description = description_of(type);
  if (type == Type::ifname) {
    if (text.empty() || text.size() >= description.size) return {};
    Octets octets(text.begin(), text.end());
    octets.resize(description.size);
    return octets;
  }
  for (const Named& named : names) {
    if (named.type == type && named.name == text) return number_octets(description, named.value);
  }
  const bool hexadecimal = text.starts_with("0x");
  if (hexadecimal) text.remove_prefix(2);
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  if (description.size < sizeof value && value >> (8U * description.size) != 0) return {};
  return number_octets(description, value);
}

}  // namespace

std::size_t size_of(Type type) noexcept { return description_of(type).size; }

bool is_big_endian(Type type) noexcept {
  return type != Type::ifname && description_of(type).big_endian;
}

std::optional<Type> type_named(std::string_view name) noexcept {
  const auto* found = std::ranges::find(types, name, &TypeName::name);
  if (found == types.end()) return {};
  return found->type;
}

std::optional<Range> parse_range(Type type, std::string_view text) {
  if (auto single = parse_value(type, text)) return Range{*single, *single, {}};
  if (type == Type::ipv4_addr || type == Type::ipv6_addr) {
    if (const auto prefix = Prefix::parse(text)) {
      auto first = address_octets(type, prefix->address.text());
      if (!first) return {};
      Octets last = *first, netmask(last.size(), UINT8_MAX);
      for (std::size_t bit = prefix->length; bit < 8 * last.size(); ++bit) {
        const auto one = static_cast<std::uint8_t>(0x80U >> (bit % 8));
        last[bit / 8] |= one;
        netmask[bit / 8] ^= one;
      }
      return Range{*first, last, netmask};
    }
  }
  const std::size_t dash = text.find('-');
  if (type == Type::ifname || dash == std::string_view::npos) return {};
  auto first = parse_value(type, text.substr(0, dash));
  auto last = parse_value(type, text.substr(dash + 1));
  if (!first || !last || *last < *first) return {};
  return Range{*first, *last, {}};
}

std::optional<Octets> successor(Octets value) {
  for (std::size_t i = value.size(); i > 0; --i) {
    if (++value[i - 1] != 0) return value;
  }
  return {};
}

}  // namespace tw::nft
