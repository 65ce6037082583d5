#include "relay/admission/principal.h"

#include <map>
#include <utility>

#include "wire/ip/embedded_ipv4.h"

namespace tw::relay {
namespace {

constexpr std::uint8_t longest_default = 1;  // 0.0.0.0/1 and 128.0.0.0/1 are a default route too
constexpr std::uint8_t one_customer = 64;    // bits of IPv6

// Other forms are chosen by whoever has a /64, and say nothing of who that is.
bool is_of_an_ipv4_host(const IpAddress& address) noexcept {
  static const Prefix nat64 = Prefix::of(IpAddress::v6({0x00, 0x64, 0xff, 0x9b}), 96);
  static const Prefix six_to_four = Prefix::of(IpAddress::v6({0x20, 0x02}), 16);
  return nat64.contains(address) || six_to_four.contains(address);
}

}  // namespace

Principal::Principal(const IpAddress& client) noexcept {
  const IpAddress address = client.unmapped();
  // A 6to4 host has a whole /48, and NAT64 has all of IPv4 in one /64.
  const EmbeddedIpv4 inside{address};
  if (is_of_an_ipv4_host(address) && !inside.empty()) {
    network = *inside.begin();
  } else {
    network = address.is_v4() ? address : Prefix::of(address, one_customer).address;
  }
}

Principal Principal::of_peer(std::uint64_t id) noexcept {
  Principal principal;
  principal.peer = id;
  return principal;
}

Principals::Principals(const std::vector<PeerNetworks>& peers) {
  std::map<Prefix, std::uint64_t> peer_of;
  for (const PeerNetworks& peer : peers) {
    for (const Prefix& prefix : peer.allowed_ips) {
      if (prefix.length > longest_default) peer_of[prefix] = peer.id;
    }
  }
  peers_ = PrefixTable{std::move(peer_of)};
}

Principal Principals::of(const IpAddress& client) const noexcept {
  const IpAddress address = client.unmapped();
  const auto* const peer = peers_.longest(address);
  return peer != nullptr ? Principal::of_peer(peer->value) : Principal{address};
}

}  // namespace tw::relay
