// The firewall of one tunnel as nftables text: one table, made from the policy and nothing else.
//
// The text is a pure function of its input, so that two equal configurations compare equal and a
// reload of an unchanged one does nothing. It filters only what comes from or goes to the TUN
// (or comes from a client device); the rest is let through for other tables to judge. Closed by
// default: the policy's rules in their order, the first that matches decides, and none means
// refused.
//
//   prerouting   TCP from the TUN that the policy relays goes to the transparent listener. The mark
//                is set before `tproxy`: if there is no listener the packet is still routed here,
//                never forwarded, and `input` lets marked packets reach transparent sockets only.
//                QUIC from clients is rejected here, if it is.
//   input        established, relayed, echo to our addresses, legs from PoPs; then the policy.
//   forward      established; then the policy. Peer to peer passes here too.
//   clamp, source_nat   what a gateway needs; not there without it.
//
// Further client devices have their TCP relayed, and what they send onward judged by the same
// policy; what they say to this machine itself is none of this table's business.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/policy.h"
#include "wire/address.h"

namespace tw::node {

struct FirewallSpec {
  std::string device;  ///< the TUN; is_device_name() must hold
  std::vector<relay::PolicyRule> policy;
  std::vector<IpAddress> own_addresses;  ///< of the TUN

  bool relay = false;                       ///< the rest of this block matters only with it
  std::vector<std::string> client_devices;  ///< whose TCP is relayed as that of the TUN
  std::uint16_t listen_port = 0;
  std::uint16_t leg_port = 0;
  bool reject_quic = false;              ///< UDP to port 443 where the policy would relay TCP to it
  std::uint32_t mark = 0;                ///< of packets for the transparent listener; not 0
  std::vector<IpAddress> pop_addresses;  ///< overlay addresses of the other PoPs

  std::vector<Prefix> masquerade;  ///< inner sources rewritten when they leave by another device
  bool clamp_mss = false;
  friend bool operator==(const FirewallSpec&, const FirewallSpec&) = default;
};

/// Named counters of the table, in packets and bytes; they survive reloads.
inline constexpr std::array firewall_counters{
    std::string_view{"from_tunnel"},  ///< refused: came from the TUN (answered by ICMP)
    std::string_view{"to_tunnel"},    ///< refused: was to enter the TUN
    std::string_view{"no_listener"},  ///< to be relayed, but no transparent socket took it
    std::string_view{"relay_ports"},  ///< to a port of the relay by another device
    std::string_view{"quic"},         ///< to be relayed, if it were TCP (answered by ICMP)
};

/// What wg-quick takes too: 1 to 15 letters, digits and _=+.- . Nothing else is safe in a quoted
/// nftables name ('*' is a wildcard there) or in a path.
bool is_device_name(std::string_view name) noexcept;

/// "thalweg_wg0". Characters that nftables does not take in an identifier are spelled in hex.
std::string firewall_table(std::string_view device);

/// The whole table, to be applied in one transaction over whatever version of it is there: chains
/// are flushed first, counters keep their values.
std::string render_firewall(const FirewallSpec& spec);

}  // namespace tw::node
