// Finds the tracked flows that the firewall of one tunnel would refuse if they began now: the
// policy of firewall_text.h, asked about a flow's first packet. Flows that neither come from nor go
// to the tunnel's devices, and flows that this machine began itself, are none of its business.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "machine/conntrack.h"
#include "machine/firewall/firewall_text.h"
#include "machine/netlink/netlink_routes.h"

namespace tw {

class RefusedFlows {
 public:
  /// Where packets to an address go; empty: nowhere.
  using Lookup = std::function<std::optional<AddressWay>(const IpAddress&)>;

  /// `tun` and `client_devices` are interface indices. `spec` must outlive this.
  RefusedFlows(const FirewallSpec& spec, std::uint32_t tun, std::set<std::uint32_t> client_devices,
               Lookup look_up);

  /// A flow comes by the device that packets to its source leave by. That is asked only about flows
  /// that the policy refuses, and once for each address.
  bool refuses(const TrackedFlow& flow);

 private:
  bool policy_refuses(const TrackedFlow& flow) const;
  bool may_enter(const TrackedFlow& flow) const;
  std::optional<AddressWay> way_to(const IpAddress& address);

  const FirewallSpec& spec_;
  relay::Policy policy_;
  std::uint32_t tun_;
  std::set<std::uint32_t> client_devices_;
  Lookup look_up_;
  std::map<IpAddress, std::optional<AddressWay>> ways_;
};

}  // namespace tw
