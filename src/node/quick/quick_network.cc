#include "node/quick/quick_network.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "machine/nft/compile.h"
#include "machine/nft/socket.h"
#include "node/quick/quick_device.h"

namespace tw::node {
namespace {

constexpr std::uint32_t first_table = 51820;
/// The bytes that a tunnel adds to a packet, over IPv6.
constexpr std::uint32_t overhead = 80, usual_mtu = 1500;
constexpr const char* src_valid_mark = "net/ipv4/conf/all/src_valid_mark";

Result<void> run_nft(const std::string& commands, std::string_view doing) {
  auto batch = nft::compile(commands);
  if (!batch) return in_context(std::string{doing}, batch.error());
  auto socket = nft::Socket::open();
  if (!socket) return std::unexpected(socket.error());
  return socket->commit(std::move(*batch), doing);
}

/// True if there was one.
bool remove_firewall(const std::string& interface) {
  bool found = false;
  for (const std::string_view family : {"ip", "ip6"}) {
    found |= run_nft(fmt::format("delete table {} wg-quick-{}\n", family, interface), "clean up")
                 .has_value();
  }
  return found;
}

}  // namespace

QuickNetwork::QuickNetwork(const QuickConf& conf, Netlink netlink, Journal journal) noexcept
    : conf_(conf),
      netlink_(std::move(netlink)),
      journal_(std::move(journal)),
      mark_(conf.tunnel.fwmark) {}

Result<QuickNetwork> QuickNetwork::open(const QuickConf& conf) {
  Result<Netlink> netlink = Netlink::open();
  if (!netlink) return std::unexpected(netlink.error());
  Result<Journal> journal = Journal::open(std::string{run_directory}, conf.tunnel.interface);
  if (!journal) return std::unexpected(journal.error());
  QuickNetwork network{conf, std::move(*netlink), std::move(*journal)};
  if (network.has_link() || network.journal_.entries().empty()) return network;
  network.found_leftovers_ = true;
  if (Result<void> undone = network.journal_.undo_all(network.netlink_); !undone) {
    return std::unexpected(undone.error());
  }
  return network;
}

bool QuickNetwork::has_link() { return netlink_.links.link(conf_.tunnel.interface).has_value(); }

Result<void> QuickNetwork::set_up() {
  const std::string& interface = conf_.tunnel.interface;
  for (const InterfaceAddress& address : conf_.tunnel.addresses) {
    if (Result<void> added = netlink_.links.add_address(interface, address); !added) return added;
  }
  const Result<std::uint32_t> bytes = mtu();
  if (!bytes) return std::unexpected(bytes.error());
  if (Result<void> set = netlink_.links.set_mtu(interface, *bytes); !set) return set;
  return netlink_.links.set_up(interface, true);
}

/// Returns the MTU of the paths to the endpoints, the widest as wg-quick has it, less what a tunnel
/// adds.
Result<std::uint32_t> QuickNetwork::mtu() {
  if (conf_.has_mtu) return conf_.tunnel.mtu;
  std::uint32_t widest = 0;
  const Result<QuickPeers> peers = device_peers(conf_.tunnel.interface);
  if (!peers) return std::unexpected(peers.error());
  for (const Endpoint& endpoint : peers->endpoints) {
    if (endpoint.scope_id != 0) continue;  // wg-quick leaves these out too
    // Where there is no route now there is no MTU to learn, and one may come.
    const Result<std::uint32_t> path = netlink_.routes.path_mtu(endpoint.address);
    if (path) widest = std::max(widest, *path);
  }
  if (widest == 0) {
    const Result<std::uint32_t> path = netlink_.routes.default_route_mtu();
    if (!path) return path;
    widest = *path;
  }
  if (widest <= overhead) widest = usual_mtu;
  return widest - overhead;
}

Result<void> QuickNetwork::add_routes() {
  if (conf_.table == 0U) return {};
  Result<QuickPeers> peers = device_peers(conf_.tunnel.interface);
  if (!peers) return std::unexpected(peers.error());
  for (const QuickRoute& route : quick_routes(conf_, std::move(peers->allowed_ips))) {
    const RouteSpec spec{.prefix = route.prefix,
                         .device = conf_.tunnel.interface,
                         .table = conf_.table.value_or(main_table)};
    Result<void> added =
        route.is_default ? add_default(route.prefix) : netlink_.routes.add_route(spec);
    if (!added) return added;
  }
  return {};
}

Result<std::uint32_t> QuickNetwork::choose_table() {
  if (mark_ != 0) return mark_;
  for (std::uint32_t table = first_table;; ++table) {
    const Result<bool> used = netlink_.routes.is_table_used(table);
    if (!used) return std::unexpected(used.error());
    if (*used) continue;
    if (Result<void> set = set_device_mark(conf_.tunnel.interface, table); !set) {
      return std::unexpected(set.error());
    }
    mark_ = table;
    return table;
  }
}

/// Everything goes into the tunnel but the tunnel's own datagrams, which carry its mark, and what
/// the main table has better routes for than a default one.
Result<void> QuickNetwork::add_default(const Prefix& prefix) {
  const Result<std::uint32_t> table = choose_table();
  if (!table) return std::unexpected(table.error());
  const Family family = prefix.address.family();
  const RouteSpec route{.prefix = prefix, .device = conf_.tunnel.interface, .table = *table};
  if (Result<void> added = netlink_.routes.add_route(route); !added) return added;
  const RuleSpec unmarked{.family = family, .mark = *table, .table = *table, .inverted = true};
  if (Result<void> added = add_rule(unmarked); !added) return added;
  const RuleSpec better{.family = family, .table = main_table, .suppressed_length = 0};
  if (Result<void> added = add_rule(better); !added) return added;
  if (family == Family::v4) {
    // Not undone, as another tunnel may have come to need it; wg-quick leaves it too.
    const Result<SysctlChange> change = plan_sysctl(src_valid_mark, "1");
    if (!change) return std::unexpected(change.error());
    if (change->old_value != change->value) {
      if (Result<void> made = make(*change); !made) return made;
    }
  }
  return add_firewall(family);
}

Result<void> QuickNetwork::add_firewall(Family family) {
  const Result<LinkState> link = netlink_.links.link(conf_.tunnel.interface);
  if (!link) return std::unexpected(link.error());
  const Result<std::vector<DeviceAddress>> all = netlink_.links.addresses();
  if (!all) return std::unexpected(all.error());
  // The interface's addresses, not the file's: it has a link-local one too.
  std::vector<IpAddress> addresses;
  for (const DeviceAddress& local : *all) {
    if (local.link_index == link->index) addresses.push_back(local.address.address);
  }
  return run_nft(quick_firewall_text(conf_.tunnel.interface, family, addresses, mark_),
                 "protect the tunnel's addresses");
}

Result<void> QuickNetwork::add_rule(const RuleSpec& rule) {
  const Result<std::uint64_t> id = journal_.record(rule);
  if (!id) return std::unexpected(id.error());
  Result<void> added = netlink_.routes.add_rule(rule);
  if (!added) static_cast<void>(journal_.strike(*id));  // else it is undone in vain, no more
  return added;
}

Result<void> QuickNetwork::remove() {
  const bool had_link = has_link();
  if (remove_firewall(conf_.tunnel.interface) && !had_link) found_leftovers_ = true;
  Result<void> undone = journal_.undo_all(netlink_);
  const Result<void> removed = netlink_.links.remove_link(conf_.tunnel.interface);
  return undone ? removed : undone;
}

}  // namespace tw::node
