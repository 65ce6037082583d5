#include "node/links/machine_network.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ranges>
#include <set>
#include <string_view>
#include <utility>

#include "machine/conntrack.h"
#include "machine/refused_flows.h"
#include "machine/sysctl.h"
#include "node/links/device_watch.h"
#include "node/links/journalled.h"

namespace tw::node {
namespace {

bool is_sysctl_of(const Change& change, std::string_view family_folder) {
  const auto* sysctl = std::get_if<SysctlChange>(&change);
  return sysctl != nullptr && sysctl->key.starts_with(family_folder);
}

// Two seconds in all, far beyond what a busy machine's work queue needs.
constexpr int address_attempts = 1000, address_pause_ms = 2;

constexpr std::string_view v6_settings = "net/ipv6/";

bool is_wanted(const Change& change, const NetworkPlan& plan) {
  if (std::holds_alternative<TableChange>(change)) return true;
  if (const auto* rule = std::get_if<RuleSpec>(&change)) return plan.rules.contains(*rule);
  if (const auto* route = std::get_if<RouteSpec>(&change))
    return plan.local_routes.contains(*route);
  if (is_sysctl_of(change, fast_open_key)) return plan.fast_open;
  return is_sysctl_of(change, v6_settings) ? plan.forward_v6 : plan.forward_v4;
}

bool has(const std::vector<InterfaceAddress>& addresses, const InterfaceAddress& address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

std::unexpected<Error> explained(Error error, const Prefix& prefix) {
  if (error.os_errno == EEXIST) {
    error.detail += fmt::format(
        " (the machine has another route to {}: remove that, or set install_routes = false)",
        prefix.text());
  }
  return std::unexpected(std::move(error));
}

}  // namespace

MachineNetwork::MachineNetwork(Firewall firewall, Netlink netlink, Journal journal,
                               std::string device, std::uint32_t link_index)
    : netlink_(std::move(netlink)),
      journal_(std::move(journal)),
      firewall_(std::move(firewall)),
      device_(std::move(device)),
      link_index_(link_index),
      settings_(journal_, device_),
      inherited_floor_(stands(journal_, TableChange{floor_table(device_)})) {}

MachineNetwork::~MachineNetwork() { static_cast<void>(take_down()); }

Result<std::unique_ptr<MachineNetwork>> MachineNetwork::open(const std::string& device,
                                                             const std::string& directory) {
  auto firewall = Firewall::open(device);
  if (!firewall) return std::unexpected(firewall.error());
  auto netlink = Netlink::open();
  if (!netlink) return std::unexpected(netlink.error());
  auto link = netlink->links.link(device);
  if (!link) return std::unexpected(link.error());
  auto journal = Journal::open(directory, device);
  if (!journal) return std::unexpected(journal.error());
  // But for its floor, which stands until the policy does.
  if (auto undone = journal->undo_all_but_tables(*netlink); !undone) {
    return in_context(fmt::format("undo what the last run has left ({})", journal->path()),
                      undone.error());
  }
  return std::unique_ptr<MachineNetwork>{new MachineNetwork(
      std::move(*firewall), std::move(*netlink), std::move(*journal), device, link->index)};
}

// ---- From plan to plan

// The floor is written down before it is made, like all that would outlive us.
Result<void> MachineNetwork::set_firewall(const NetworkPlan& target) {
  FirewallSpec wanted = target.firewall;
  // Until forwarding is off again, which comes last, it is on.
  const bool v4 = target.forward_v4 || settings_.forwards(Family::v4);
  const bool v6 = target.forward_v6 || settings_.forwards(Family::v6);
  wanted.drop_foreign_v4 = v4 && !target.forward_others && settings_.opened(Family::v4);
  wanted.drop_foreign_v6 = v6 && !target.forward_others && settings_.opened(Family::v6);
  if (wanted.drop_foreign_v4) wanted.forwarded_before = settings_.forwarded_before();
  if (filtered_ && made_.firewall == wanted) return {};
  const Change floor = TableChange{floor_table(device_)};
  auto applied = stands(journal_, floor)
                     ? firewall_.apply(wanted)
                     : make_journalled(journal_, floor, [&] { return firewall_.apply(wanted); });
  if (!applied) return applied;
  made_.firewall = std::move(wanted);
  filtered_ = true;
  return {};
}

Result<void> MachineNetwork::remove_routes(const NetworkPlan& target) {
  for (auto route = made_.routes.begin(); route != made_.routes.end();) {
    if (target.routes.contains(route->first)) {
      ++route;
      continue;
    }
    auto removed = netlink_.routes.remove_route({.prefix = route->first, .device = device_});
    if (!removed) return removed;
    route = made_.routes.erase(route);
  }
  return {};
}

Result<void> MachineNetwork::remove_addresses(const NetworkPlan& target) {
  const std::vector<InterfaceAddress> before = made_.addresses;
  for (const InterfaceAddress& address : std::views::reverse(before)) {
    if (has(target.addresses, address)) continue;
    if (auto removed = netlink_.links.remove_address(device_, address); !removed) return removed;
    std::erase(made_.addresses, address);
    uncertain_.insert(address.address.family());
  }
  if (made_.addresses.size() == before.size()) return {};
  // With a primary address Linux may take the secondary ones of its subnet away, and with the last
  // address of a family every route by the device.
  auto present = netlink_.links.addresses();
  if (!present) return std::unexpected(present.error());
  std::erase_if(made_.addresses, [&](const InterfaceAddress& address) {
    return std::ranges::none_of(*present, [&](const DeviceAddress& local) {
      return local.link_index == link_index_ && local.address == address;
    });
  });
  return {};
}

Result<void> MachineNetwork::remove_journalled(const NetworkPlan& target) {
  const std::vector<Journal::Entry> standing = journal_.entries();
  for (const Journal::Entry& entry : std::views::reverse(standing)) {
    if (is_wanted(entry.change, target)) continue;
    if (auto undone = journal_.undo_entry(entry, netlink_); !undone) return undone;
  }
  settings_.undone_but(target.forward_v4, target.forward_v6, target.fast_open);
  return set_firewall(target);  // for what forwarding was, until now
}

Result<void> MachineNetwork::set_link(const NetworkPlan& target) {
  if (target.mtu != 0 && made_.mtu != target.mtu) {
    if (auto set = netlink_.links.set_mtu(device_, target.mtu); !set) return set;
    made_.mtu = target.mtu;
  }
  if (target.tx_queue_packets != 0 && made_.tx_queue_packets != target.tx_queue_packets) {
    if (auto set = netlink_.links.set_tx_queue(device_, target.tx_queue_packets); !set) return set;
    made_.tx_queue_packets = target.tx_queue_packets;
  }
  return {};
}

Result<void> MachineNetwork::add_addresses(const NetworkPlan& target) {
  for (const InterfaceAddress& address : target.addresses) {
    if (has(made_.addresses, address)) continue;
    if (auto added = netlink_.links.add_address(device_, address); !added) return added;
    made_.addresses.push_back(address);
  }
  return {};
}

Result<void> MachineNetwork::bring_up(const NetworkPlan&) {
  if (is_up_) return {};
  // No address that nobody has asked for, and no router solicitations into the tunnel. It goes with
  // the device, so there is nothing to put back; a machine without IPv6 has no such setting.
  auto quiet = plan_sysctl(fmt::format("net/ipv6/conf/{}/addr_gen_mode", device_), "1");
  if (quiet) {
    if (auto set = make(*quiet); !set) return set;
  }
  if (auto set = netlink_.links.set_up(device_, true); !set) return set;
  is_up_ = true;
  return {};
}

// IPv6 addresses work only once a kernel thread has put them into the routing table: microseconds
// as a rule, but whoever connects right after up() must find them.
Result<void> MachineNetwork::await_addresses(const NetworkPlan& target) {
  for (const InterfaceAddress& own : target.addresses) {
    for (int attempt = 0;; ++attempt) {
      auto delivered = netlink_.routes.delivers(own.address);
      if (!delivered) return std::unexpected(delivered.error());
      if (*delivered) break;
      if (attempt == address_attempts) {
        return make_error(Error::Kind::unavailable,
                          fmt::format("{} did not come into use on {} (is IPv6 disabled there?)",
                                      own.address.text(), device_));
      }
      ::poll(nullptr, 0, address_pause_ms);
    }
  }
  return {};
}

Result<void> MachineNetwork::set_routes(const NetworkPlan& target) {
  for (const auto& [prefix, metrics] : target.routes) {
    const auto present = made_.routes.find(prefix);
    const bool known = present != made_.routes.end();
    if (known && present->second == metrics && !uncertain_.contains(prefix.address.family())) {
      continue;
    }
    const RouteSpec route{.prefix = prefix, .device = device_, .metrics = metrics};
    auto set = known ? netlink_.routes.replace_route(route) : netlink_.routes.add_route(route);
    if (!set) return explained(set.error(), prefix);
    made_.routes[prefix] = metrics;
  }
  uncertain_.clear();
  return {};
}

Result<void> MachineNetwork::set_policy_routing(const NetworkPlan& target) {
  for (const RouteSpec& route : target.local_routes) {
    if (stands(journal_, route)) continue;
    auto added =
        make_journalled(journal_, route, [&] { return netlink_.routes.replace_route(route); });
    if (!added) {
      if (added.error().os_errno == ENETDOWN) {
        return in_context("the relay needs lo to be up (ip link set lo up)", added.error());
      }
      return added;
    }
  }
  // The rule last: it must not lead to an empty table.
  for (const RuleSpec& rule : target.rules) {
    if (stands(journal_, rule)) continue;
    if (auto added =
            make_journalled(journal_, rule, [&] { return netlink_.routes.add_rule(rule); });
        !added) {
      return added;
    }
  }
  return {};
}

Result<void> MachineNetwork::turn_on_settings(const NetworkPlan& target) {
  auto forwarding = settings_.turn_on_forwarding(target.forward_v4, target.forward_v6);
  if (!forwarding) return forwarding;
  if (target.fast_open) settings_.turn_on_fast_open();
  return {};
}

Result<void> MachineNetwork::move_to(const NetworkPlan& target) {
  using Step = Result<void> (MachineNetwork::*)(const NetworkPlan&);
  // Steps that can fail because of others come before those that only take away.
  constexpr std::array<Step, 11> steps{
      &MachineNetwork::set_firewall,       &MachineNetwork::remove_routes,
      &MachineNetwork::remove_addresses,   &MachineNetwork::set_link,
      &MachineNetwork::add_addresses,      &MachineNetwork::bring_up,
      &MachineNetwork::await_addresses,    &MachineNetwork::set_routes,
      &MachineNetwork::set_policy_routing, &MachineNetwork::turn_on_settings,
      &MachineNetwork::remove_journalled};
  for (const Step step : steps) {
    if (auto done = (this->*step)(target); !done) return done;
  }
  in_force_ = target;
  return {};
}

// A name is restored, since the configuration says it, and routes of ours go by it. The firewall
// goes by the index and has not noticed.
Result<bool> MachineNetwork::restore_name() {
  const std::string present = device_name(link_index_);
  if (present.empty() || present == device_) return false;
  auto named = netlink_.links.rename(link_index_, device_);
  if (named || named.error().os_errno != EBUSY) {
    if (!named) return std::unexpected(named.error());
    return true;
  }
  // Before Linux 6.2 only a device that is down takes a name, and with that all its routes go.
  if (auto down = netlink_.links.set_up(present, false); !down)
    return std::unexpected(down.error());
  named = netlink_.links.rename(link_index_, device_);
  is_up_ = false;
  if (!named) return std::unexpected(named.error());
  made_.addresses.clear();
  made_.routes.clear();
  if (auto moved = move_to(NetworkPlan{in_force_}); !moved) return std::unexpected(moved.error());
  return true;
}

Result<void> MachineNetwork::take_down() {
  Result<void> first;
  const auto note = [&first](Result<void> result) {
    if (!result && first) first = std::move(result);
  };
  if (is_up_) {
    // Nothing enters or leaves from here on. The device may be gone before us.
    if (auto set = netlink_.links.set_up(device_, false); !set && set.error().os_errno != ENODEV)
      note(set);
    is_up_ = false;
  }
  const NetworkPlan nothing;
  note(remove_routes(nothing));
  note(remove_addresses(nothing));
  note(inherited_floor_ ? journal_.undo_all_but_tables(netlink_) : journal_.undo_all(netlink_));
  settings_.undone_but(false, false, false);
  made_ = NetworkPlan{};
  in_force_ = NetworkPlan{};
  if (auto removed = firewall_.remove(); !removed) {
    note(removed);
  } else {
    filtered_ = false;
  }
  return first;
}

// ---- What there is to ask

Result<std::uint64_t> MachineNetwork::tx_dropped() {
  auto link = netlink_.links.link(device_);
  if (!link) return std::unexpected(link.error());
  return link->tx_dropped;
}

Result<std::size_t> MachineNetwork::end_refused_flows() {
  auto tracking = Conntrack::open();
  if (!tracking) return std::unexpected(tracking.error());
  const FirewallSpec& spec = in_force_.firewall;
  std::set<std::uint32_t> client_devices;
  for (const std::string& device : spec.client_devices) {
    if (const auto link = netlink_.links.link(device)) client_devices.insert(link->index);
  }
  RefusedFlows refused{spec, link_index_, std::move(client_devices),
                       [this](const IpAddress& address) {
                         return netlink_.routes.way_to(address).value_or(std::nullopt);
                       }};
  return tracking->end_flows([&](const TrackedFlow& flow) { return refused.refuses(flow); });
}

}  // namespace tw::node
