// The identity of a client, for everything that is shared out by client. An address is no identity:
// the owner of a /64 of IPv6 has 2^64 of them, and a share for each would be no share. So it is the
// peer of the tunnel whose address it is; where there is none, an IPv4 address or an IPv6 /64, and
// for an IPv6 address that stands for one of IPv4, that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "relay/admission/prefix_table.h"
#include "wire/address.h"

namespace tw::relay {

struct Principal {
  IpAddress network;       ///< of a client that is no peer
  std::uint64_t peer = 0;  ///< PeerNetworks::id; 0: no peer
  friend bool operator==(const Principal&, const Principal&) noexcept = default;

  Principal() = default;
  /// The principal of a client that is no peer's.
  Principal(const IpAddress& client) noexcept;  // NOLINT(google-explicit-constructor)
  static Principal of_peer(std::uint64_t id) noexcept;
};

struct PeerNetworks {
  std::uint64_t id = 0;  ///< not 0; the same peer's is the same after a reload
  std::vector<Prefix> allowed_ips;
};

/// Tells whose an address is: the longest prefix, as WireGuard has it. Default routes (/0, /1) make
/// nobody a peer's: they are the Internet's.
class Principals {
 public:
  Principals() = default;
  explicit Principals(const std::vector<PeerNetworks>& peers);
  /// Costs a search for each length of prefix there is.
  Principal of(const IpAddress& client) const noexcept;

 private:
  PrefixTable<std::uint64_t> peers_;
};

}  // namespace tw::relay

template <>
struct std::hash<tw::relay::Principal> {
  std::size_t operator()(const tw::relay::Principal& principal) const noexcept {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
    return std::hash<tw::IpAddress>{}(principal.network) ^
           static_cast<std::size_t>(principal.peer * odd);
  }
};
