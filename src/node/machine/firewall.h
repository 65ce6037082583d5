// Applies the firewall of one tunnel (firewall_text.h) and holds it.
//
// The table has `flags owner`: it belongs to the netlink socket that made it (node/nft/socket.h),
// nobody else can change it, and it vanishes with that socket, after kill -9 too. A forked child
// that lives on without exec keeps the socket, and so the table.
//
// A reload flushes the table's chains and fills them again in one transaction. Base chains are not
// replaced: between two hooks of one packet a replaced chain could be missing from both
// generations.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "node/machine/firewall_text.h"
#include "node/nft/socket.h"

namespace tw::node {

using FirewallCount = nft::Counter;  ///< its name is one of firewall_counters

/// Belongs to one thread. Works on the network namespace that thread was in at open().
class Firewall {
 public:
  /// No table yet. `unavailable` if this kernel has no nftables.
  static Result<Firewall> open(std::string device);
  /// The table vanishes with the object.

  /// Makes or replaces the table, all or nothing. Needs CAP_NET_ADMIN.
  Result<void> apply(const FirewallSpec& spec);
  Result<void> remove();
  /// What was refused since the table was made. From any thread that has the object to itself.
  Result<std::vector<FirewallCount>> counts();

  /// Whether this kernel has every nftables feature that a table of ours uses, tried without
  /// changing anything.
  static Result<void> probe();

 private:
  Firewall(std::string device, nft::Socket socket) noexcept
      : device_(std::move(device)), socket_(std::move(socket)) {}
  std::string device_;
  nft::Socket socket_;
  bool present_ = false;
};

}  // namespace tw::node
