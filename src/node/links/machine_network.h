// The machine's network as far as a tunnel needs it, moved from one plan (links_plan.h) to the
// next. It knows which of its changes the machine has, and touches nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "machine/firewall/firewall.h"
#include "machine/journal.h"
#include "machine/netlink/netlink.h"
#include "node/links/kernel_settings.h"
#include "node/links/links_plan.h"

namespace tw::node {

class MachineNetwork {
 public:
  /// Takes the device's journal, in `directory`, and undoes what a killed node has left, but for
  /// its floor. `unavailable` if another node is running on the device.
  static Result<std::unique_ptr<MachineNetwork>> open(const std::string& device,
                                                      const std::string& directory);
  /// take_down(), without a word about failures.
  ~MachineNetwork();
  MachineNetwork(const MachineNetwork&) = delete;
  MachineNetwork& operator=(const MachineNetwork&) = delete;

  /// The floor of a dead node is ours from now on: take_down() removes it.
  void own_floor() noexcept { inherited_floor_ = false; }

  /// Changes what is different. A step that fails leaves those before it done.
  Result<void> move_to(const NetworkPlan& target);
  /// Only what a plan says of the firewall.
  Result<void> set_firewall(const NetworkPlan& target);
  /// Removes everything. Goes on past a failure and returns the first.
  Result<void> take_down();
  /// Gives the device its name again, since the configuration says it, and routes of ours go by it.
  /// False if it has it.
  Result<bool> restore_name();

  const std::string& device() const noexcept { return device_; }
  std::uint32_t link_index() const noexcept { return link_index_; }
  /// Returns the plan that was reached last.
  const NetworkPlan& in_force() const noexcept { return in_force_; }
  /// Returns the firewall that the machine has.
  const FirewallSpec& filter() const noexcept { return made_.firewall; }
  Netlink& netlink() noexcept { return netlink_; }
  Firewall& firewall() noexcept { return firewall_; }
  const Firewall& firewall() const noexcept { return firewall_; }
  /// Returns how many packets the kernel could not queue on the device.
  Result<std::uint64_t> tx_dropped();
  /// Ends the established flows that the firewall in force refuses; returns how many.
  Result<std::size_t> end_refused_flows();

 private:
  MachineNetwork(Firewall firewall, Netlink netlink, Journal journal, std::string device,
                 std::uint32_t link_index);
  Result<void> remove_routes(const NetworkPlan& target);
  Result<void> remove_addresses(const NetworkPlan& target);
  Result<void> remove_journalled(const NetworkPlan& target);
  Result<void> set_link(const NetworkPlan& target);
  Result<void> add_addresses(const NetworkPlan& target);
  Result<void> bring_up(const NetworkPlan& target);
  Result<void> await_addresses(const NetworkPlan& target);
  Result<void> set_routes(const NetworkPlan& target);
  Result<void> set_policy_routing(const NetworkPlan& target);
  Result<void> turn_on_settings(const NetworkPlan& target);

  Netlink netlink_;
  Journal journal_;
  Firewall firewall_;
  const std::string device_;
  const std::uint32_t link_index_;
  KernelSettings settings_;
  bool inherited_floor_;  // a dead node's, and we are not up yet

  NetworkPlan in_force_;
  // Our changes that the machine has. Each part is changed right after the machine was.
  NetworkPlan made_;
  bool filtered_ = false;
  std::set<Family> uncertain_;  // whose routes may have gone with an address
  bool is_up_ = false;
};

}  // namespace tw::node
