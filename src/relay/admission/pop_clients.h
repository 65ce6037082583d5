// Whom a PoP may name as the client of a leg: its own peer's addresses, and those that are nobody's
// here. A PoP that is not honest could otherwise borrow the rights of any client that the policy
// knows. A pure decision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "relay/admission/prefix_table.h"
#include "wire/address.h"

namespace tw::relay {

class PopClients {
 public:
  struct Owned {
    Prefix prefix;
    std::uint32_t peer = 0;  ///< that has it among its allowed IPs, by any number
  };
  struct Pop {
    std::uint32_t peer = 0;     ///< as in Owned
    std::vector<Prefix> given;  ///< it may name these whosever they are (`[[pop]] clients`)
  };
  /// `allowed_ips`: of all peers. `own`: addresses of this node, which no client has.
  PopClients(const std::vector<Owned>& allowed_ips, std::vector<IpAddress> own,
             std::vector<Pop> pops);

  /// The longest match decides. v4-mapped addresses are taken as IPv4; loopback, multicast and
  /// unspecified ones are nobody's to name. Cost: a binary search for each length that occurs.
  bool may_name(std::size_t pop, const IpAddress& client) const noexcept;
  /// True if it may because `[[pop]] clients` says so.
  bool is_given(std::size_t pop, const IpAddress& client) const noexcept;
  /// The allowed IP that `client` belongs to, if any.
  std::optional<Owned> owner_of(const IpAddress& client) const noexcept;
  /// The peer that is this PoP.
  std::uint32_t peer_of(std::size_t pop) const noexcept { return pops_[pop].peer; }

 private:
  PrefixTable<std::uint32_t> peers_;  // by allowed IP
  std::vector<IpAddress> own_;
  std::vector<Pop> pops_;
};

}  // namespace tw::relay
