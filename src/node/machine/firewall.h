// Applies the firewall of one tunnel (firewall_text.h) and holds it.
//
// The table has `flags owner`: it belongs to the netlink socket that made it, nobody else can
// change it, and it vanishes with that socket, after kill -9 too. libnftables opens its socket once
// a context and keeps it (since 1.0; it dumps and commits over the same one), so one long-lived
// context in this process is enough and no `nft` child is needed. A forked child that lives on
// keeps the table alive: the socket is not closed on exec.
//
// A reload flushes the table's chains and fills them again in one transaction. Base chains are not
// replaced: between two hooks of one packet a replaced chain could be missing from both
// generations.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/machine/firewall_text.h"

namespace tw::node {

struct FirewallCount {
  std::string name;  ///< one of firewall_counters
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

/// Belongs to one thread. Works on the network namespace that thread was in at open().
class Firewall {
 public:
  /// No table yet. `unavailable` if this kernel has no nftables.
  static Result<Firewall> open(std::string device);
  Firewall(Firewall&&) noexcept;
  Firewall& operator=(Firewall&&) noexcept;
  /// The table vanishes.
  ~Firewall();

  /// Makes or replaces the table, all or nothing. Needs CAP_NET_ADMIN.
  Result<void> apply(const FirewallSpec& spec);
  Result<void> remove();
  /// What was refused since the table was made. From any thread that has the object to itself, with
  /// however small a stack.
  Result<std::vector<FirewallCount>> counts();

  /// Whether this kernel has every nftables feature that a table of ours uses, tried without
  /// changing anything.
  static Result<void> probe();

 private:
  struct Context;
  Firewall(std::string device, std::unique_ptr<Context> context) noexcept;
  std::string device_;
  std::unique_ptr<Context> context_;
  bool present_ = false;
};

}  // namespace tw::node
