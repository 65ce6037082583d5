// The firewall of one tunnel as nftables text: two tables, made from the policy and nothing else
// (decision 0003).
//
// The text is a pure function of its input, so that two equal configurations compare equal and a
// reload of an unchanged one does nothing. Closed by default: the policy's rules in their order,
// the first that matches decides, and none means refused. Rules that let something pass name
// devices; rules that refuse name addresses or nothing, so that a rule whose device is gone
// refuses. The TUN is named by its index, which a new name does not change; client devices by name
// and by index, since they may be made anew.
//
// The policy's table is owned by the process, and dies with it:
//
//   guard        what has an overlay address as its source and comes by another device than the TUN
//   untracked    with guard's first rule: the tunnel's own datagrams, if they are not to be tracked
//   prerouting   TCP from clients that the policy relays goes to the transparent listener. The mark
//                is set before `tproxy`: if there is no listener the packet is still routed here,
//                never forwarded, and `input` lets marked packets reach our sockets only.
//                QUIC from clients is rejected here, if it is.
//   input        established, relayed, echo to our addresses, legs from PoPs; then the policy.
//   output       legs to other PoPs are opened by our own sockets only, and nobody here speaks for
//                a peer.
//   forward      established; then the policy. Peer to peer passes here too. What it lets pass gets
//                a mark (pass_mark) which lives no longer than the packet is in these chains.
//   foreign      what no policy has let pass, where nothing was forwarded before us
//   clamp, source_nat   what a gateway needs; not there without it.
//
// The floor is a table that stays when the process dies. It drops what would be the policy's to
// judge and has no pass_mark: while the policy lives it has nothing to do.
//
// Further client devices have their TCP relayed, and what they send onward judged by the same
// policy; what they say to this machine itself is none of these tables' business, unless they say
// it to an overlay address.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "machine/firewall/overlay.h"
#include "relay/admission/policy.h"
#include "wire/address.h"

namespace tw {

struct FirewallSpec {
  std::string device;            ///< the TUN; is_device_name() must hold
  std::uint32_t link_index = 0;  ///< the TUN's
  std::vector<relay::PolicyRule> policy;
  std::vector<IpAddress> own_addresses;  ///< of the TUN
  /// Addresses that only the TUN may bring, without those that names_overlay() leaves out.
  std::vector<OverlayRange> overlay;
  std::vector<OverlayRange> peers;   ///< ranges by peer: a peer's flows are counted together
  std::uint16_t wireguard_port = 0;  ///< 0: not known

  bool relay = false;                         ///< the rest of this block matters only with it
  std::vector<std::string> client_devices;    ///< their TCP is relayed as that of the TUN
  std::vector<std::uint32_t> client_indexes;  ///< that devices of these names have, or have had
  std::uint16_t listen_port = 0;
  std::uint16_t leg_port = 0;
  bool reject_quic = false;              ///< UDP to port 443 where the policy would relay TCP to it
  std::uint32_t mark = 0;                ///< of packets for the transparent listener; not 0
  std::uint32_t own_mark = 0;            ///< SO_MARK of the relay's sockets; not 0, and not `mark`
  std::vector<IpAddress> pop_addresses;  ///< overlay addresses of the other PoPs

  std::vector<Prefix> masquerade;  ///< inner sources rewritten when they leave by another device
  bool clamp_mss = false;
  bool notrack = false;  ///< packets to wireguard_port here, and from it, are not tracked
  bool drop_foreign_v4 = false, drop_foreign_v6 = false;  ///< drops what we alone would forward
  /// Devices whose IPv4 packets were forwarded before us, though not everybody's: never foreign.
  std::vector<std::string> forwarded_before;
  std::uint32_t flows_per_peer = 0;  ///< tracked at a time; 0: no bound
  friend bool operator==(const FirewallSpec&, const FirewallSpec&) = default;
};

/// Named counters of the policy's table, in packets and bytes; they survive reloads.
inline constexpr std::array firewall_counters{
    std::string_view{"from_tunnel"},      ///< refused: came from the TUN (answered by ICMP)
    std::string_view{"to_tunnel"},        ///< refused: was to enter the TUN
    std::string_view{"spoofed"},          ///< an overlay source by another device than the TUN
    std::string_view{"foreign_forward"},  ///< neither from nor to devices of ours
    std::string_view{"flow_share"},       ///< a new flow of a peer that has its share already
    std::string_view{"no_listener"},      ///< to be relayed, but no transparent socket took it
    std::string_view{"other_socket"},     ///< to a port of the relay that another program holds
    std::string_view{"relay_ports"},      ///< to a port of the relay by another device
    std::string_view{"other_legs"},       ///< to another PoP's leg port, and not by the relay
    std::string_view{"quic"},             ///< to be relayed, if it were TCP (answered by ICMP)
};
/// The floor's only counter: what would have been the policy's to judge, but no policy lived.
inline constexpr std::string_view floor_counter = "no_policy";

/// Set on forwarded packets between our first chain of the hook and our last; outside of them the
/// bit is always clear.
inline constexpr std::uint32_t pass_mark = 0x08000000;

/// Returns true for a name that wg-quick takes too: 1 to 15 letters, digits and _=+.- . Nothing
/// else is safe in a quoted nftables name ('*' is a wildcard there) or in a path.
bool is_device_name(std::string_view name) noexcept;

/// "thalweg_wg0". Characters that nftables does not take in an identifier are spelled in hex.
std::string firewall_table(std::string_view device);
/// "thalweg_wg0_floor".
std::string floor_table(std::string_view device);

/// The policy's table, to be applied in one transaction over whatever version of it is there:
/// chains are flushed first, counters keep their values.
std::string render_firewall(const FirewallSpec& spec);

/// The floor, in the same way. With `anew` what is there is removed first: another version of this
/// program may have left it with other chains.
std::string render_floor(const FirewallSpec& spec, bool anew);

}  // namespace tw
