// Applies the firewall of one tunnel (firewall_text.h) and holds it.
//
// The policy's table has `flags owner`: it belongs to the netlink socket that made it
// (machine/nft/socket.h), nobody else can change it, and it vanishes with that socket, after kill
// -9 too. A forked child that lives on without exec keeps the socket, and so the table. The floor
// is anybody's to remove, so it is watched, and put back.
//
// A reload flushes the tables' chains and fills them again in one transaction. Base chains are not
// replaced: between two hooks of one packet a replaced chain could be missing from both
// generations.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "machine/firewall/firewall_text.h"
#include "machine/nft/socket.h"

namespace tw {

using FirewallCount = nft::Counter;  ///< its name is one of firewall_counters

/// Belongs to one thread. Works on the network namespace that thread was in at open().
class Firewall {
 public:
  /// No table yet. `unavailable` if this kernel has no nftables.
  static Result<Firewall> open(std::string device);
  /// The policy's table vanishes with the object; the floor stays: see remove_floor().

  /// Makes or replaces both tables, all or nothing. A floor that a dead node has left is replaced
  /// once the policy stands. Needs CAP_NET_ADMIN.
  Result<void> apply(const FirewallSpec& spec);
  /// The policy's table.
  Result<void> remove();
  /// Returns the counts of refused packets since the tables were made. From any thread that has the
  /// object to itself.
  Result<std::vector<FirewallCount>> counts();

  /// Readable when somebody has changed the machine's nftables.
  int wait_fd() const noexcept { return watch_.wait_fd(); }
  /// Puts the floor back if somebody else has touched it; true if so. Never blocks.
  Result<bool> keep_floor();

  /// Removes a floor, ours or a dead node's; succeeds if there is none.
  static Result<void> remove_floor(const std::string& table);
  /// Fails if this kernel lacks an nftables feature that a table of ours uses, tried without
  /// changing anything.
  static Result<void> probe();

 private:
  Firewall(std::string device, nft::Socket socket, nft::Socket watch) noexcept
      : device_(std::move(device)), socket_(std::move(socket)), watch_(std::move(watch)) {}
  std::string device_;
  nft::Socket socket_, watch_;
  std::optional<FirewallSpec> spec_;  // in force
};

}  // namespace tw
