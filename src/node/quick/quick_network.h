// The machine's side of a wg-quick tunnel: addresses, MTU, routes, rules, firewall.
#pragma once

#include <string>

#include "base/result.h"
#include "machine/journal.h"
#include "machine/netlink/netlink.h"
#include "node/quick/quick_conf.h"

namespace tw::node {

class QuickNetwork {
 public:
  /// Takes the journal's lock, and undoes what a tunnel that was killed has left.
  static Result<QuickNetwork> open(const QuickConf& conf);

  /// Addresses; then MTU, and up. The device must be there, and configured.
  Result<void> set_up();
  /// Routes to the allowed IPs; a default route with a table, rules and firewall of its own, and
  /// the device's mark.
  Result<void> add_routes();
  /// Rules and firewall, and the link with everything that hangs on it. Goes on past a failure and
  /// returns the first. What is gone already is no failure.
  Result<void> remove();

  bool has_link();
  /// True if open() or remove() found something of a tunnel whose device is gone.
  bool found_leftovers() const noexcept { return found_leftovers_; }
  Netlink& netlink() noexcept { return netlink_; }

 private:
  QuickNetwork(const QuickConf& conf, Netlink netlink, Journal journal) noexcept;
  Result<std::uint32_t> mtu();
  Result<void> add_default(const Prefix& prefix);
  Result<std::uint32_t> choose_table();
  Result<void> add_firewall(Family family);
  Result<void> add_rule(const RuleSpec& rule);

  const QuickConf& conf_;
  Netlink netlink_;
  Journal journal_;
  std::uint32_t mark_ = 0;  // and the number of the table; 0: not chosen yet
  bool found_leftovers_ = false;
};

}  // namespace tw::node
