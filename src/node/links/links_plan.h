// A configuration's demands on the machine's network, as a value: pure, comparable, testable.
// links.h brings the machine from one plan to the next.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "machine/firewall/firewall_text.h"
#include "machine/netlink/netlink_routes.h"
#include "node/config/config.h"

namespace tw::node {

/// Rules of ours come before the main table's (32766) and those of wg-quick, after the local
/// table's.
inline constexpr std::uint32_t relay_rule_priority = 9700;
/// Mark and table of the packets for the transparent listener: this plus the TUN's index, so that
/// two nodes in one network namespace do not meet. ("TW" in its upper half: nobody counts up
/// there.)
inline constexpr std::uint32_t relay_mark_base = 0x54570000;
/// SO_MARK of the relay's own sockets, by which the firewall knows them: this plus the TUN's index.
/// No rule of ours routes by it.
inline constexpr std::uint32_t own_mark_base = 0x54580000;

struct NetworkPlan {
  std::string device;
  std::uint32_t mtu = 0;                    ///< bytes; 0: leave it
  std::uint32_t tx_queue_packets = 0;       ///< 0: leave it
  std::vector<InterfaceAddress> addresses;  ///< in their order: the first of a family is primary
  std::map<Prefix, RouteMetrics> routes;    ///< by the device
  std::set<RouteSpec> local_routes;         ///< of the relay's table
  std::set<RuleSpec> rules;
  bool forward_v4 = false, forward_v6 = false;
  bool forward_others = false;  ///< also what neither comes from nor goes to devices of ours
  bool fast_open = false;       ///< listeners may take data in a SYN
  FirewallSpec firewall;
  std::vector<std::string> warnings;  ///< for the operator: what was left out, and what to do
};

/// Facts about the machine that the configuration does not say.
struct Surroundings {
  std::vector<std::uint32_t> client_indexes{};  ///< of client devices, now or before
  std::vector<Prefix> elsewhere{};              ///< networks that other devices are connected to
  std::vector<Prefix> peers{};    ///< allowed IPs that the tunnel has beside the file's
  std::uint16_t listen_port = 0;  ///< the tunnel's; 0: as the file says
  friend bool operator==(const Surroundings&, const Surroundings&) = default;
};

/// `link_index` is the TUN's.
NetworkPlan plan_network(const NodeConfig& config, std::uint32_t link_index,
                         const Surroundings& around = {});

}  // namespace tw::node
