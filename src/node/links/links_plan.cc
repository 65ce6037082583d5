#include "node/links/links_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tw::node {
namespace {

const Prefix whole_v4 = Prefix::of(IpAddress::v4({}), 0);
const Prefix whole_v6 = Prefix::of(IpAddress::v6({}), 0);

Prefix host_prefix(const IpAddress& address) {
  return Prefix::of(address, static_cast<std::uint8_t>(address.bits()));
}

bool concerns(const NodeConfig& config, Family family) {
  const auto& addresses = config.tunnel.addresses;
  if (std::any_of(addresses.begin(), addresses.end(), [family](const InterfaceAddress& own) {
        return own.address.family() == family;
      })) {
    return true;
  }
  for (const PeerConfig& peer : config.peers) {
    for (const Prefix& prefix : peer.allowed_ips) {
      if (prefix.address.family() == family) return true;
    }
  }
  return false;
}

std::string default_route_warning(const PeerConfig& peer, const Prefix& prefix,
                                  const std::string& device) {
  const bool v4 = prefix.address.is_v4();
  return fmt::format(
      "peer {}: no route is installed for its allowed IP {}, because it would carry the tunnel's "
      "own "
      "packets too. To send everything into the tunnel, give the peer's endpoint a route by the "
      "underlay, then: ip -{} route add {} dev {} && ip -{} route add {} dev {}",
      peer.name, prefix.text(), v4 ? 4 : 6, v4 ? "0.0.0.0/1" : "::/1", device, v4 ? 4 : 6,
      v4 ? "128.0.0.0/1" : "8000::/1", device);
}

void plan_routes(const NodeConfig& config, NetworkPlan& plan) {
  if (config.tunnel.install_routes) {
    for (const PeerConfig& peer : config.peers) {
      for (const Prefix& prefix : peer.allowed_ips) {
        if (prefix == whole_v4 || prefix == whole_v6) {
          plan.warnings.push_back(default_route_warning(peer, prefix, plan.device));
        } else {
          plan.routes.try_emplace(prefix);
        }
      }
    }
    // The kernel makes these itself, with the address.
    for (const InterfaceAddress& own : plan.addresses) {
      plan.routes.erase(Prefix::of(own.address, own.length));
    }
  }
  if (!config.relay.enabled) return;
  for (const PopConfig& pop : config.pops) {
    plan.routes[host_prefix(pop.pop.overlay_address)] = {
        .initcwnd = config.relay.turbo.initcwnd,
        .initrwnd = 0,  // does not raise the first window; the relay forces its buffers instead
        .congestion_control = config.relay.turbo.congestion_control};
  }
}

void plan_relay(const NodeConfig& config, std::uint32_t mark, NetworkPlan& plan) {
  if (!config.relay.enabled) return;
  for (const Family family : {Family::v4, Family::v6}) {
    if (!concerns(config, family)) continue;
    plan.local_routes.insert({.prefix = family == Family::v4 ? whole_v4 : whole_v6,
                              .device = "lo",
                              .table = mark,
                              .local = true,
                              .metrics = {}});
    std::vector<std::string> devices = config.relay.client_devices;
    devices.push_back(plan.device);
    for (const std::string& device : devices) {
      plan.rules.insert({.family = family,
                         .priority = relay_rule_priority,
                         .mark = mark,
                         .table = mark,
                         .in_device = device});
    }
  }
}

void plan_overlay(const NodeConfig& config, const Surroundings& around, FirewallSpec& firewall) {
  // Flows are counted by allowed IP: what matters of each is how long it is.
  std::vector<OwnedPrefix> owned;
  const auto add = [&owned](const Prefix& prefix) { owned.emplace_back(prefix, prefix.length); };
  for (const IpAddress& own : firewall.own_addresses) add(host_prefix(own));
  for (const PeerConfig& peer : config.peers) std::ranges::for_each(peer.allowed_ips, add);
  std::ranges::for_each(around.peers, add);
  firewall.peers = overlay_ranges(owned);
  std::erase_if(owned, [](const OwnedPrefix& one) { return !names_overlay(one.first); });
  firewall.overlay = without_peers(overlay_ranges(std::move(owned), around.elsewhere));
}

void plan_firewall(const NodeConfig& config, std::uint32_t link_index, const Surroundings& around,
                   FirewallSpec& firewall) {
  firewall.device = config.tunnel.interface;
  firewall.link_index = link_index;
  firewall.wireguard_port =
      around.listen_port != 0 ? around.listen_port : config.tunnel.listen_port;
  firewall.flows_per_peer = config.gateway.flows_per_peer;
  firewall.policy = config.policy;
  for (const InterfaceAddress& own : config.tunnel.addresses) {
    firewall.own_addresses.push_back(own.address);
  }
  firewall.relay = config.relay.enabled;
  firewall.client_devices = config.relay.client_devices;
  firewall.reject_quic = config.relay.quic == Quic::reject;
  firewall.listen_port = config.relay.listen_port;
  firewall.leg_port = config.relay.leg_port;
  firewall.client_indexes = around.client_indexes;
  firewall.mark = relay_mark_base + link_index;
  firewall.own_mark = own_mark_base + link_index;
  for (const PopConfig& pop : config.pops) {
    firewall.pop_addresses.push_back(pop.pop.overlay_address);
  }
  firewall.masquerade = config.gateway.masquerade;
  firewall.clamp_mss = config.gateway.clamp_mss;
  firewall.notrack = config.gateway.notrack;
  plan_overlay(config, around, firewall);
}

}  // namespace

NetworkPlan plan_network(const NodeConfig& config, std::uint32_t link_index,
                         const Surroundings& around) {
  NetworkPlan plan;
  plan.device = config.tunnel.interface;
  plan.mtu = config.tunnel.mtu;
  plan.tx_queue_packets = config.tunnel.tx_queue_packets;
  plan.addresses = config.tunnel.addresses;
  plan_routes(config, plan);
  const std::uint32_t mark = relay_mark_base + link_index;
  plan_relay(config, mark, plan);
  plan.forward_v4 = config.gateway.forward && concerns(config, Family::v4);
  plan.forward_v6 = config.gateway.forward && concerns(config, Family::v6);
  plan.fast_open = config.relay.enabled && config.relay.fast_open;
  plan.forward_others = config.gateway.forward_others;
  plan_firewall(config, link_index, around, plan.firewall);
  return plan;
}

}  // namespace tw::node
