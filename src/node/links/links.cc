#include "node/links/links.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <optional>
#include <ranges>
#include <set>
#include <utility>

#include "machine/conntrack.h"
#include "machine/refused_flows.h"
#include "node/links/links_plan.h"
#include "node/links/links_state.h"

namespace tw::node {
namespace {

bool is_sysctl_of(const Change& change, std::string_view family_folder) {
  const auto* sysctl = std::get_if<SysctlChange>(&change);
  return sysctl != nullptr && sysctl->key.starts_with(family_folder);
}

// Two seconds in all, far beyond what a busy machine's work queue needs.
constexpr int address_attempts = 1000, address_pause_ms = 2;

constexpr std::string_view v6_settings = "net/ipv6/";

constexpr std::string_view v4_forwarding = "net/ipv4/ip_forward";
constexpr std::string_view v6_forwarding = "net/ipv6/conf/all/forwarding";

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

// True if forwarding is, or will be, on because a node of this namespace has turned it on.
bool Links::State::opened(std::string_view forwarding_key) const {
  for (const Journal::Entry& entry : journal.entries()) {
    const auto* sysctl = std::get_if<SysctlChange>(&entry.change);
    if (sysctl != nullptr && sysctl->key == forwarding_key) return sysctl->old_value == "0";
  }
  const auto change = journal.plan_shared(std::string{forwarding_key}, "1");
  return change && change->old_value == "0";
}

// IPv4 may have been forwarded for what some devices bring: turning it on for all, and then off,
// takes that away. Written down as what it then will be, so that undoing puts it back.
constexpr std::string_view v4_devices = "net/ipv4/conf/", forwarding_of_device = "/forwarding";

std::optional<std::string> device_of(const SysctlChange& change) {
  std::string_view key = change.key;
  if (!key.starts_with(v4_devices) || !key.ends_with(forwarding_of_device)) return {};
  key.remove_prefix(v4_devices.size());
  key.remove_suffix(forwarding_of_device.size());
  return std::string{key};
}

std::vector<SysctlChange> forwarding_devices(const std::string& tunnel) {
  std::vector<SysctlChange> changes;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/sys/net/ipv4/conf", ignored)) {
    const std::string name = entry.path().filename();
    if (name == "all" || name == "default" || name == "lo" || name == tunnel) continue;
    const std::string key = fmt::format("{}{}{}", v4_devices, name, forwarding_of_device);
    if (read_sysctl(key).value_or("") == "1") changes.push_back({key, "1", "0"});
  }
  std::ranges::sort(changes);
  return changes;
}

// Returns the devices that forwarded before us: as all nodes of the namespace have written down,
// and as we would find them now.
std::vector<std::string> Links::State::forwarded_before() const {
  std::vector<SysctlChange> changes = journal.settings_of_others();
  for (const Journal::Entry& entry : journal.entries()) {
    if (const auto* sysctl = std::get_if<SysctlChange>(&entry.change)) changes.push_back(*sysctl);
  }
  if (read_sysctl(std::string{v4_forwarding}).value_or("") == "0") {
    std::ranges::copy(forwarding_devices(device), std::back_inserter(changes));
  }
  std::set<std::string> names;
  for (const SysctlChange& change : changes) {
    const auto name = device_of(change);
    if (name && is_device_name(*name)) names.insert(*name);
  }
  return {names.begin(), names.end()};
}

// The floor is written down before it is made, like all that would outlive us.
Result<void> Links::State::set_firewall(const NetworkPlan& target) {
  FirewallSpec wanted = target.firewall;
  // Until forwarding is off again, which comes last, it is on.
  const bool v4 = target.forward_v4 || made.forward_v4, v6 = target.forward_v6 || made.forward_v6;
  wanted.drop_foreign_v4 = v4 && !target.forward_others && opened(v4_forwarding);
  wanted.drop_foreign_v6 = v6 && !target.forward_others && opened(v6_forwarding);
  if (wanted.drop_foreign_v4) wanted.forwarded_before = forwarded_before();
  if (filtered && made.firewall == wanted) return {};
  const Change floor = TableChange{floor_table(device)};
  auto applied = stands(floor) ? firewall.apply(wanted)
                               : make_journalled(floor, [&] { return firewall.apply(wanted); });
  if (!applied) return applied;
  made.firewall = std::move(wanted);
  filtered = true;
  return {};
}

Result<void> Links::State::remove_routes(const NetworkPlan& target) {
  for (auto route = made.routes.begin(); route != made.routes.end();) {
    if (target.routes.contains(route->first)) {
      ++route;
      continue;
    }
    auto removed = netlink.remove_route({.prefix = route->first, .device = device});
    if (!removed) return removed;
    route = made.routes.erase(route);
  }
  return {};
}

Result<void> Links::State::remove_addresses(const NetworkPlan& target) {
  const std::vector<InterfaceAddress> before = made.addresses;
  for (const InterfaceAddress& address : std::views::reverse(before)) {
    if (has(target.addresses, address)) continue;
    if (auto removed = netlink.remove_address(device, address); !removed) return removed;
    std::erase(made.addresses, address);
    uncertain.insert(address.address.family());
  }
  if (made.addresses.size() == before.size()) return {};
  // With a primary address Linux may take the secondary ones of its subnet away, and with the last
  // address of a family every route by the device.
  auto present = netlink.addresses();
  if (!present) return std::unexpected(present.error());
  std::erase_if(made.addresses, [&](const InterfaceAddress& address) {
    return std::ranges::none_of(*present, [&](const DeviceAddress& local) {
      return local.link_index == link_index && local.address == address;
    });
  });
  return {};
}

Result<void> Links::State::remove_journalled(const NetworkPlan& target) {
  const std::vector<Journal::Entry> standing = journal.entries();
  for (const Journal::Entry& entry : std::views::reverse(standing)) {
    if (is_wanted(entry.change, target)) continue;
    if (auto undone = journal.undo_entry(entry, netlink); !undone) return undone;
  }
  made.forward_v4 = made.forward_v4 && target.forward_v4;
  made.forward_v6 = made.forward_v6 && target.forward_v6;
  made.fast_open = made.fast_open && target.fast_open;
  return set_firewall(target);  // for what forwarding was, until now
}

Result<void> Links::State::set_link(const NetworkPlan& target) {
  if (target.mtu != 0 && made.mtu != target.mtu) {
    if (auto set = netlink.set_mtu(device, target.mtu); !set) return set;
    made.mtu = target.mtu;
  }
  if (target.tx_queue_packets != 0 && made.tx_queue_packets != target.tx_queue_packets) {
    if (auto set = netlink.set_tx_queue(device, target.tx_queue_packets); !set) return set;
    made.tx_queue_packets = target.tx_queue_packets;
  }
  return {};
}

Result<void> Links::State::add_addresses(const NetworkPlan& target) {
  for (const InterfaceAddress& address : target.addresses) {
    if (has(made.addresses, address)) continue;
    if (auto added = netlink.add_address(device, address); !added) return added;
    made.addresses.push_back(address);
  }
  return {};
}

Result<void> Links::State::bring_up(const NetworkPlan&) {
  if (is_up) return {};
  // No address that nobody has asked for, and no router solicitations into the tunnel. It goes with
  // the device, so there is nothing to put back; a machine without IPv6 has no such setting.
  auto quiet = plan_sysctl(fmt::format("net/ipv6/conf/{}/addr_gen_mode", device), "1");
  if (quiet) {
    if (auto set = make(*quiet); !set) return set;
  }
  if (auto set = netlink.set_up(device, true); !set) return set;
  is_up = true;
  return {};
}

// IPv6 addresses work only once a kernel thread has put them into the routing table: microseconds
// as a rule, but whoever connects right after up() must find them.
Result<void> Links::State::await_addresses(const NetworkPlan& target) {
  for (const InterfaceAddress& own : target.addresses) {
    for (int attempt = 0;; ++attempt) {
      auto delivered = netlink.delivers(own.address);
      if (!delivered) return std::unexpected(delivered.error());
      if (*delivered) break;
      if (attempt == address_attempts) {
        return make_error(Error::Kind::unavailable,
                          fmt::format("{} did not come into use on {} (is IPv6 disabled there?)",
                                      own.address.text(), device));
      }
      ::poll(nullptr, 0, address_pause_ms);
    }
  }
  return {};
}

Result<void> Links::State::set_routes(const NetworkPlan& target) {
  for (const auto& [prefix, metrics] : target.routes) {
    const auto present = made.routes.find(prefix);
    const bool known = present != made.routes.end();
    if (known && present->second == metrics && !uncertain.contains(prefix.address.family())) {
      continue;
    }
    const RouteSpec route{.prefix = prefix, .device = device, .metrics = metrics};
    auto set = known ? netlink.replace_route(route) : netlink.add_route(route);
    if (!set) return explained(set.error(), prefix);
    made.routes[prefix] = metrics;
  }
  uncertain.clear();
  return {};
}

Result<void> Links::State::set_policy_routing(const NetworkPlan& target) {
  for (const RouteSpec& route : target.local_routes) {
    if (stands(route)) continue;
    auto added = make_journalled(route, [&] { return netlink.replace_route(route); });
    if (!added) {
      if (added.error().os_errno == ENETDOWN) {
        return in_context("the relay needs lo to be up (ip link set lo up)", added.error());
      }
      return added;
    }
  }
  // The rule last: it must not lead to an empty table.
  for (const RuleSpec& rule : target.rules) {
    if (stands(rule)) continue;
    if (auto added = make_journalled(rule, [&] { return netlink.add_rule(rule); }); !added) {
      return added;
    }
  }
  return {};
}

// We need the settings that other nodes have changed for forwarding, too, and write them down: the
// last node undoes them.
std::vector<std::pair<std::string, std::string>> Links::State::forwarding_changes(bool v4,
                                                                                  bool v6) const {
  auto settings = forwarding_settings(v4, v6);
  if (!v6) return settings;
  for (const SysctlChange& other : journal.settings_of_others()) {
    const std::pair<std::string, std::string> one{other.key, other.value};
    const bool known = std::ranges::find(settings, one) != settings.end();
    if (other.key.ends_with("/accept_ra") && !known) settings.insert(settings.begin(), one);
  }
  return settings;
}

Result<void> Links::State::set_forwarding(const NetworkPlan& target) {
  const bool turn_v4 = target.forward_v4 && !made.forward_v4;
  const bool turn_v6 = target.forward_v6 && !made.forward_v6;
  if (!turn_v4 && !turn_v6) return {};
  const UniqueFd held = journal.hold_settings();
  std::vector<SysctlChange> before;
  if (turn_v4 && read_sysctl(std::string{v4_forwarding}).value_or("") == "0") {
    before = forwarding_devices(device);
  }
  if (turn_v4) {
    std::ranges::copy_if(journal.settings_of_others(), std::back_inserter(before),
                         [](const SysctlChange& other) { return device_of(other).has_value(); });
  }
  for (const SysctlChange& change : before) {
    if (stands(change)) continue;
    if (auto recorded = journal.record(change); !recorded) {
      return std::unexpected(recorded.error());
    }
  }
  for (const auto& [key, value] : forwarding_changes(turn_v4, turn_v6)) {
    auto change = journal.plan_shared(key, value);
    if (!change) return in_context("turn on forwarding", change.error());
    if (change->old_value == change->value) continue;
    if (auto set = make_journalled(*change, [&] { return make(*change); }); !set) {
      return in_context("turn on forwarding", set.error());
    }
  }
  made.forward_v4 = made.forward_v4 || turn_v4;
  made.forward_v6 = made.forward_v6 || turn_v6;
  return {};
}

// Only sockets that ask for it take data in a SYN: nobody else's behaviour changes. A machine whose
// settings cannot be changed does without, and the relay works all the same.
Result<void> Links::State::set_fast_open(const NetworkPlan& target) {
  if (!target.fast_open || made.fast_open) return {};
  made.fast_open = true;
  const UniqueFd held = journal.hold_settings();
  const auto wanted = plan_fast_open();
  if (!wanted) return {};
  const auto change = journal.plan_shared(wanted->key, wanted->value);
  if (!change || change->old_value == change->value) return {};
  static_cast<void>(make_journalled(*change, [&] { return make(*change); }));
  return {};
}

Result<void> Links::State::move_to(const NetworkPlan& target) {
  using Step = Result<void> (State::*)(const NetworkPlan&);
  // What can fail because of others comes before what only takes away.
  constexpr std::array<Step, 12> steps{
      &State::set_firewall,    &State::remove_routes, &State::remove_addresses,
      &State::set_link,        &State::add_addresses, &State::bring_up,
      &State::await_addresses, &State::set_routes,    &State::set_policy_routing,
      &State::set_forwarding,  &State::set_fast_open, &State::remove_journalled};
  for (const Step step : steps) {
    if (auto done = (this->*step)(target); !done) return done;
  }
  in_force = target;
  return {};
}

Result<void> Links::State::take_down() {
  Result<void> first;
  const auto note = [&first](Result<void> result) {
    if (!result && first) first = std::move(result);
  };
  if (is_up) {
    // Nothing enters or leaves from here on. The device may be gone before us.
    if (auto set = netlink.set_up(device, false); !set && set.error().os_errno != ENODEV) note(set);
    is_up = false;
  }
  const NetworkPlan nothing;
  note(remove_routes(nothing));
  note(remove_addresses(nothing));
  note(inherited_floor ? journal.undo_all_but_tables(netlink) : journal.undo_all(netlink));
  made = NetworkPlan{};
  in_force = NetworkPlan{};
  if (auto removed = firewall.remove(); !removed) {
    note(removed);
  } else {
    filtered = false;
  }
  return first;
}

Links::Links(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Links::Links(Links&&) noexcept = default;
Links& Links::operator=(Links&&) noexcept = default;
Links::~Links() = default;

Result<Links> Links::up(const NodeConfig& config, LeftToOthers left, const std::string& directory) {
  const std::string& device = config.tunnel.interface;
  const std::string doing = fmt::format("bring up the network of {}", device);
  auto firewall = Firewall::open(device);
  if (!firewall) return in_context(doing, firewall.error());
  auto netlink = Netlink::open();
  if (!netlink) return in_context(doing, netlink.error());
  auto link = netlink->link(device);
  if (!link) return in_context(doing, link.error());
  auto journal = Journal::open(directory, device);
  if (!journal) return in_context(doing, journal.error());
  auto devices = DeviceWatch::open();
  if (!devices) return in_context(doing, devices.error());
  // But for its floor, which stands until the policy does.
  if (auto undone = journal->undo_all_but_tables(*netlink); !undone) {
    return in_context(
        fmt::format("{}: undo what the last run has left ({})", doing, journal->path()),
        undone.error());
  }
  auto state = std::unique_ptr<State>(new State{.netlink = std::move(*netlink),
                                                .journal = std::move(*journal),
                                                .firewall = std::move(*firewall),
                                                .devices = std::move(*devices),
                                                .device = device,
                                                .link_index = link->index,
                                                .left = left,
                                                .made = {}});
  state->inherited_floor = state->stands(TableChange{floor_table(device)});
  Links links(std::move(state));  // takes down what is there if we return early
  State& made = *links.state_;
  auto looked =
      look_around(made.netlink, made.link_index, config.relay.client_devices, made.around);
  if (!looked) return in_context(doing, looked.error());
  auto moved = made.move_to(made.plan(config));
  if (!moved) return in_context(doing, moved.error());
  made.config = config;
  return links;
}

Result<void> Links::apply(const NodeConfig& config) {
  const std::string& device = config.tunnel.interface;
  if (device != state_->device) {
    return make_error(
        Error::Kind::config,
        fmt::format("the interface cannot change from {} to {} while running: restart",
                    state_->device, device));
  }
  const std::string doing = fmt::format("change the network of {}", device);
  const NetworkPlan before = state_->in_force;
  auto looked =
      look_around(state_->netlink, state_->link_index, config.relay.client_devices, state_->around);
  if (!looked) return in_context(doing, looked.error());
  auto moved = state_->move_to(state_->plan(config));
  if (moved) {
    state_->config = config;
    return {};
  }
  Error error = moved.error();
  if (auto back = state_->move_to(before); !back) {
    error.detail +=
        fmt::format(" (and what was before could not be restored: {})", back.error().text());
  }
  return in_context(doing, std::move(error));
}

Result<void> Links::down() { return state_->take_down(); }

void Links::started() noexcept { state_->inherited_floor = false; }

const std::vector<std::string>& Links::warnings() const noexcept {
  return state_->in_force.warnings;
}

Result<std::uint64_t> Links::tx_dropped() {
  auto link = state_->netlink.link(state_->device);
  if (!link) return std::unexpected(link.error());
  return link->tx_dropped;
}

Result<std::size_t> Links::end_refused_flows() {
  auto tracking = Conntrack::open();
  if (!tracking) return std::unexpected(tracking.error());
  const FirewallSpec& spec = state_->in_force.firewall;
  std::set<std::uint32_t> client_devices;
  for (const std::string& device : spec.client_devices) {
    if (const auto link = state_->netlink.link(device)) client_devices.insert(link->index);
  }
  RefusedFlows refused{spec, state_->link_index, std::move(client_devices),
                       [this](const IpAddress& address) {
                         return state_->netlink.way_to(address).value_or(std::nullopt);
                       }};
  return tracking->end_flows([&](const TrackedFlow& flow) { return refused.refuses(flow); });
}

Result<std::vector<FirewallCount>> Links::refused() { return state_->firewall.counts(); }

}  // namespace tw::node
