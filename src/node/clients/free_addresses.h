// The addresses of a tunnel that nobody has yet, for clients that are added.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "node/config/config.h"
#include "wire/address.h"

namespace tw::node {

/// Hands out each address once, the lowest first, of the prefixes that the tunnel itself has. Taken
/// are the tunnel's addresses and what is in some peer's allowed IPs; a peer's prefix that is no
/// longer than the tunnel's own says where a way leads, and takes nothing. The first and the last
/// address of an IPv4 prefix, and the first of an IPv6 one (RFC 4291, section 2.6.1), are nobody's.
class FreeAddresses {
 public:
  /// Cost: O(n log n) of all allowed IPs, once.
  explicit FreeAddresses(const NodeConfig& config);

  /// True if the tunnel has an address of this family.
  bool has(Family family) const noexcept;
  /// The next one. Fails if the tunnel's prefixes of this family are full, or there is none.
  Result<IpAddress> take(Family family);

 private:
  // clang-format off
  __extension__ using Number = unsigned __int128;
  // clang-format on
  struct Range {
    Number first = 0, last = 0;
  };
  /// One prefix of the tunnel, and how far it has been handed out.
  struct Pool {
    Prefix prefix;
    Range usable;
    std::vector<Range> taken;  ///< by their first addresses
    Number next = 0;           ///< nothing below is free
    std::size_t at = 0;        ///< of `taken`: nothing before it matters any more
  };

  static Number number_of(const IpAddress& address) noexcept;
  static IpAddress address_of(Number number, Family family) noexcept;
  static Range range_of(const Prefix& prefix) noexcept;
  static std::optional<Number> next_of(Pool& pool) noexcept;

  std::vector<Pool> pools_;
};

/// Fails, and says why, if a client cannot be given this address: it is no host's, the node's own,
/// or in what a peer has of the tunnel.
Result<void> check_is_free(const IpAddress& address, const NodeConfig& config);

}  // namespace tw::node
