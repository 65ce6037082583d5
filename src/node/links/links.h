// Brings up, changes and takes down everything a tunnel needs of the machine's network: addresses,
// routes, policy routing for the relay, the firewall, forwarding.
//
// The configuration becomes a plan (links_plan.h), and the machine is moved from the plan in force
// to the next: what is in both is not touched. A step that fails takes everything back, to the plan
// before it or to nothing: never half-applied. The firewall comes first and goes last, so that
// nothing passes that it would refuse. What would outlive the process is journalled (journal.h);
// the firewall's floor is the first entry and the last to be undone, so that what a killed node has
// left is closed until the next start has put a policy in its place.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "machine/firewall/firewall.h"
#include "machine/journal.h"
#include "node/config/config.h"
#include "node/links/device_watch.h"
#include "node/links/links_plan.h"
#include "node/links/machine_network.h"

namespace tw::node {

/// Parts of the configuration that somebody else sees to, better than the links could.
struct LeftToOthers {
  bool queue_length = false;  ///< the TUN bounds its queue itself: not tx_queue_packets
  bool leg_windows = false;   ///< the relay opens those of paced legs: not initcwnd of a route
};

/// Belongs to one thread and one network namespace. Needs CAP_NET_ADMIN all along, root's uid for
/// the journal, and nothing else.
class Links {
 public:
  /// The TUN must exist; opened before this, it is still down. Undoes what a killed node has left.
  /// `unavailable` if another node is running on the device.
  static Result<Links> up(const NodeConfig& config, LeftToOthers left = {},
                          const std::string& directory = std::string{run_directory});
  Links(Links&&) noexcept;
  Links& operator=(Links&&) noexcept;
  /// down(), without a word about failures.
  ~Links();

  /// The node is up as a whole. Until then down() leaves a floor that a dead node had left: a start
  /// that fails must not open what was closed.
  void started() noexcept;

  /// On an error everything is as it was before. Another interface needs another Links.
  Result<void> apply(const NodeConfig& config);
  /// Removes everything that up() and apply() have made; the device stays, and is down. Goes on
  /// past a failure and returns the first. Again: does nothing.
  Result<void> down();

  /// Allowed IPs that the tunnel has by now, if others than the configuration in force says (`wg
  /// set`).
  /// `listen_port` is the one that the tunnel has.
  Result<void> follow_tunnel(std::vector<Prefix> peers, std::uint16_t listen_port);

  /// Readable when attend() may have something to do: the machine's nftables or devices changed.
  std::array<int, 2> wait_fds() const noexcept;
  /// Puts back what others have taken away, and follows what has changed around us. Returns
  /// sentences for the operator's log. Never blocks.
  std::vector<std::string> attend();
  /// False once the tunnel's device is no longer in this network namespace.
  bool has_tunnel() const;
  /// True if foreign packets are dropped: those that are forwarded only because we turned
  /// forwarding on, and that neither come from nor go to devices of ours.
  bool drops_foreign() const noexcept;

  /// Returns the warnings about the configuration in force, for the operator's log.
  const std::vector<std::string>& warnings() const noexcept;
  /// Returns how many packets the kernel could not queue on the TUN since it was made.
  Result<std::uint64_t> tx_dropped();
  Result<std::vector<FirewallCount>> refused();
  /// Ends the established flows that the policy in force refuses, whoever allowed them once;
  /// returns how many there were. They are refused from then on, in both directions; flows that it
  /// allows lose no packet. Fails where the kernel cannot list its connections
  /// (CONFIG_NF_CT_NETLINK).
  Result<std::size_t> end_refused_flows();

 private:
  explicit Links(std::unique_ptr<MachineNetwork> network, DeviceWatch devices, LeftToOthers left);
  NetworkPlan plan(const NodeConfig& config) const;
  Result<void> look_around_for(const NodeConfig& config);

  std::unique_ptr<MachineNetwork> network_;
  DeviceWatch devices_;
  LeftToOthers left_;
  NodeConfig config_;  // in force
  Surroundings around_;
};

}  // namespace tw::node
