#include "machine/refused_flows.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace tw {
namespace {

using relay::Action;
using relay::Protocol;

constexpr std::uint16_t quic_port = 443;

Protocol protocol_of(std::uint8_t number) noexcept {
  switch (number) {
    case IPPROTO_TCP:
      return Protocol::tcp;
    case IPPROTO_UDP:
      return Protocol::udp;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return Protocol::icmp;
    default:
      return Protocol::any;
  }
}

bool has(const std::vector<IpAddress>& addresses, const IpAddress& address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

}  // namespace

RefusedFlows::RefusedFlows(const FirewallSpec& spec, std::uint32_t tun,
                           std::set<std::uint32_t> client_devices, Lookup look_up)
    : spec_(spec),
      policy_(spec.policy),
      tun_(tun),
      client_devices_(std::move(client_devices)),
      look_up_(std::move(look_up)) {}

bool RefusedFlows::policy_refuses(const TrackedFlow& flow) const {
  const Protocol protocol = protocol_of(flow.protocol);
  const Action action = policy_.decide(flow.source.address, flow.target, protocol);
  if (action == Action::refuse) return true;
  // TCP that has been forwarded since before the policy relayed it is allowed, by another way.
  if (protocol == Protocol::tcp) return action == Action::relay && !spec_.relay;
  if (action == Action::relay) return true;
  return spec_.relay && spec_.reject_quic && protocol == Protocol::udp &&
         flow.target.port == quic_port &&
         policy_.decide(flow.source.address, flow.target, Protocol::tcp) == Action::relay;
}

// True for flows that the input chain lets in from the tunnel before it asks the policy.
bool RefusedFlows::may_enter(const TrackedFlow& flow) const {
  if (protocol_of(flow.protocol) == Protocol::icmp)
    return has(spec_.own_addresses, flow.target.address);
  return spec_.relay && flow.protocol == IPPROTO_TCP && flow.target.port == spec_.leg_port &&
         has(spec_.pop_addresses, flow.source.address);
}

std::optional<AddressWay> RefusedFlows::way_to(const IpAddress& address) {
  const auto known = ways_.find(address);
  if (known != ways_.end()) return known->second;
  return ways_.emplace(address, look_up_(address)).first->second;
}

bool RefusedFlows::refuses(const TrackedFlow& flow) {
  if (!policy_refuses(flow)) return false;
  const auto back = way_to(flow.source.address);
  if (!back || back->local) return false;
  const auto onward = way_to(flow.target.address);
  const bool from_tunnel = back->link_index == tun_;
  if (onward && onward->local) return from_tunnel && !may_enter(flow);
  return from_tunnel || client_devices_.contains(back->link_index) ||
         (onward && onward->link_index == tun_);
}

}  // namespace tw
