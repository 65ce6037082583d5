#include "node/clients/free_addresses.h"

#include <algorithm>
#include <array>
#include <string>

namespace tw::node {

FreeAddresses::Number FreeAddresses::number_of(const IpAddress& address) noexcept {
  Number number = 0;
  for (const std::uint8_t octet : address.bytes()) number = number << 8U | octet;
  return number;
}

IpAddress FreeAddresses::address_of(Number number, Family family) noexcept {
  std::array<std::uint8_t, 16> octets{};
  const std::size_t size = family == Family::v4 ? 4 : 16;
  for (std::size_t i = size; i-- > 0; number >>= 8U) octets[i] = static_cast<std::uint8_t>(number);
  return IpAddress::from_bytes({octets.data(), size});
}

FreeAddresses::Range FreeAddresses::range_of(const Prefix& prefix) noexcept {
  const auto host_bits = static_cast<unsigned>(prefix.address.bits() - prefix.length);
  const Number first = number_of(prefix.address);
  const Number ones = host_bits >= 128 ? ~Number{0} : (Number{1} << host_bits) - 1;
  return {first, first + ones};
}

FreeAddresses::FreeAddresses(const NodeConfig& config) {
  for (const InterfaceAddress& own : config.tunnel.addresses) {
    const Prefix prefix = Prefix::of(own.address, own.length);
    if (std::ranges::any_of(pools_, [&](const Pool& pool) { return pool.prefix == prefix; })) {
      continue;
    }
    Pool pool{.prefix = prefix, .usable = range_of(prefix), .taken = {}};
    const std::size_t host_bits = prefix.address.bits() - prefix.length;
    // RFC 3021 and RFC 6164: of two addresses both are hosts'.
    if (host_bits > 1) ++pool.usable.first;
    if (host_bits > 1 && prefix.address.is_v4()) --pool.usable.last;
    pool.next = pool.usable.first;
    for (const InterfaceAddress& taken : config.tunnel.addresses) {
      if (prefix.contains(taken.address)) {
        pool.taken.push_back({number_of(taken.address), number_of(taken.address)});
      }
    }
    for (const PeerConfig& peer : config.peers) {
      for (const Prefix& allowed : peer.allowed_ips) {
        if (allowed.length > prefix.length && prefix.contains(allowed.address)) {
          pool.taken.push_back(range_of(allowed));
        }
      }
    }
    std::ranges::sort(pool.taken, {}, &Range::first);
    pools_.push_back(std::move(pool));
  }
}

bool FreeAddresses::has(Family family) const noexcept {
  return std::ranges::any_of(
      pools_, [&](const Pool& pool) { return pool.prefix.address.family() == family; });
}

std::optional<FreeAddresses::Number> FreeAddresses::next_of(Pool& pool) noexcept {
  for (; pool.at < pool.taken.size() && pool.taken[pool.at].first <= pool.next; ++pool.at) {
    const Number last = pool.taken[pool.at].last;
    if (last >= pool.usable.last) return std::nullopt;
    pool.next = std::max(pool.next, last + 1);
  }
  if (pool.next > pool.usable.last) return std::nullopt;
  return pool.next;
}

Result<IpAddress> FreeAddresses::take(Family family) {
  std::string full;
  for (Pool& pool : pools_) {
    if (pool.prefix.address.family() != family) continue;
    if (const auto next = next_of(pool)) {
      // Other prefixes of the tunnel may overlap this one.
      for (Pool& other : pools_) {
        const IpAddress taken = address_of(*next, family);
        if (!other.prefix.contains(taken)) continue;
        const auto place = std::ranges::upper_bound(other.taken, *next, {}, &Range::first);
        other.taken.insert(place, {*next, *next});
      }
      return address_of(*next, family);
    }
    full += (full.empty() ? "" : ", ") + pool.prefix.text();
  }
  return make_error(Error::Kind::exhausted,
                    full.empty() ? "the tunnel has no address of this family"
                                 : full +
                                       " has no free address left: give [tunnel] addresses a "
                                       "larger prefix or a further one, or name an address");
}

Result<void> check_is_free(const IpAddress& address, const NodeConfig& config) {
  const auto refuse = [&](const std::string& why) {
    return make_error(Error::Kind::config, address.text() + ' ' + why);
  };
  if (address.is_unspecified() || address.is_loopback() || address.is_multicast() ||
      address.is_link_local()) {
    return refuse("cannot be the address of a client");
  }
  const auto& own = config.tunnel.addresses;
  if (std::ranges::find(own, address, &InterfaceAddress::address) != own.end()) {
    return refuse("is this node's own");
  }
  const auto is_whole_tunnel = [&](const Prefix& prefix) {
    return std::ranges::any_of(own, [&](const InterfaceAddress& one) {
      return prefix.length <= one.length && prefix.contains(one.address);
    });
  };
  for (const PeerConfig& peer : config.peers) {
    for (const Prefix& allowed : peer.allowed_ips) {
      if (allowed.contains(address) && allowed.length > 0 && !is_whole_tunnel(allowed)) {
        return refuse("is in " + allowed.text() + " of peer \"" + peer.name + '"');
      }
    }
  }
  return {};
}

}  // namespace tw::node
