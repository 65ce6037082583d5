#include "machine/firewall/firewall_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "base/assert.h"
#include "machine/firewall/firewall_embedded.h"
#include "machine/firewall/firewall_lines.h"
#include "machine/firewall/firewall_match.h"

namespace tw {
namespace {

using relay::Action;
using relay::PolicyRule;

constexpr std::uint16_t quic_port = 443;
constexpr std::size_t longest_device_name = 15;  // IFNAMSIZ without its NUL

bool is_alphanumeric(char byte) noexcept {
  return std::isalnum(static_cast<unsigned char>(byte)) != 0;
}

// The families for which both lists have an address, so that a rule with both can be written.
std::vector<Family> common_families(const std::vector<IpAddress>& left,
                                    const std::vector<IpAddress>& right) {
  std::vector<Family> families;
  for (const Family family : {Family::v4, Family::v6}) {
    const auto has = [family](const IpAddress& address) { return address.family() == family; };
    if (std::any_of(left.begin(), left.end(), has) &&
        std::any_of(right.begin(), right.end(), has)) {
      families.push_back(family);
    }
  }
  return families;
}

void write_counters(FirewallLines& text) {
  for (const std::string_view name : firewall_counters)
    text.add(fmt::format("  counter {} {{ }}\n", name));
}

// Before connection tracking, which raw is. What is tracked of one flow in one direction is tracked
// as a flow: so both are named.
bool leaves_untracked(const FirewallSpec& spec) noexcept {
  return spec.notrack && spec.wireguard_port != 0;
}

// Only the TUN brings overlay addresses; this machine talks to its own by lo. What the tunnel
// itself receives is authentic whatever it is from: an endpoint may lie within its peer's allowed
// IPs.
void write_guard(FirewallLines& text, const FirewallSpec& spec) {
  text.open_chain("overlay_side");
  text.line("iif {{ lo, {} }} return", spec.link_index);
  if (spec.wireguard_port != 0) {
    text.line("udp dport {} fib daddr type local return", spec.wireguard_port);
  }
  text.line("counter name spoofed drop");
  text.close_chain();
  // Every packet of this machine comes by here: what the others pass is as short as can be.
  text.open_chain("guard", "filter hook prerouting priority raw");
  if (leaves_untracked(spec)) {
    text.line("udp dport {} fib daddr type local notrack", spec.wireguard_port);
  }
  for (const Family family : {Family::v4, Family::v6}) {
    text.line("{} saddr @{} goto overlay_side", family == Family::v4 ? "ip" : "ip6",
              family_set("overlay", family));
  }
  text.close_chain();
}

// The output chain. Without a rule there is none, for every packet of this machine would pass it;
// one that a reload has turned off stays, empty.
void write_untracked(FirewallLines& text, const FirewallSpec& spec) {
  if (!leaves_untracked(spec)) return;
  text.open_chain("untracked", "filter hook output priority raw");
  text.line("udp sport {} notrack", spec.wireguard_port);
  text.close_chain();
}

// Returns the ranges of a family that are allowed IPs of this length.
std::vector<OverlayRange> of_length(const FirewallSpec& spec, Family family, std::uint32_t length) {
  std::vector<OverlayRange> ranges;
  for (const OverlayRange& range : spec.peers) {
    if (range.first.family() == family && range.peer == length) ranges.push_back(range);
  }
  return ranges;
}

// Returns the lengths of the allowed IPs of a family; none if flows are not counted.
std::set<std::uint32_t> share_lengths(const FirewallSpec& spec, Family family) {
  std::set<std::uint32_t> lengths;
  if (spec.flows_per_peer == 0) return lengths;
  for (const OverlayRange& range : spec.peers) {
    if (range.first.family() == family) lengths.insert(range.peer);
  }
  return lengths;
}

std::string share_set(std::string_view name, std::uint32_t length) {
  return fmt::format("{}_{}_in_", name, length);
}

std::string netmask(Family family, std::uint32_t length) {
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t bit = 0; bit < length; ++bit) {
    octets.at(bit / 8) |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
  }
  return IpAddress::from_bytes({octets.data(), family == Family::v4 ? 4U : 16U}).text();
}

void declare_shares(FirewallLines& text, const FirewallSpec& spec) {
  text.add(
      "  set client_flows4 { type ipv4_addr; size 65535; flags dynamic; }\n"
      "  set client_flows6 { type ipv6_addr; size 65535; flags dynamic; }\n");
  for (const Family family : {Family::v4, Family::v6}) {
    for (const std::uint32_t length : share_lengths(spec, family)) {
      declare_ranges(text, share_set("peers", length), family, false);
      text.add(fmt::format("  set {} {{ type {}; size 65535; flags dynamic; }}\n",
                           family_set(share_set("flows", length), family),
                           family == Family::v4 ? "ipv4_addr" : "ipv6_addr"));
    }
  }
}

// A new flow of a peer that has its share is dropped: the table of tracked connections is the whole
// machine's. What is counted together is an allowed IP as a whole, however many addresses it has;
// who comes by another device is counted by his address, or his /64.
void write_share(FirewallLines& text, const FirewallSpec& spec) {
  const std::uint32_t most = spec.flows_per_peer;
  text.open_chain("share_of_peer");
  for (const Family family : {Family::v4, Family::v6}) {
    const std::string_view header = family == Family::v4 ? "ip" : "ip6";
    for (const std::uint32_t length : share_lengths(spec, family)) {
      const bool whole = length == (family == Family::v4 ? 32U : 128U);
      const std::string masked = whole ? "" : fmt::format("& {} ", netmask(family, length));
      text.line(
          "{0} saddr @{1} add @{2} {{ {0} saddr {3}ct count over {4} }} counter name "
          "flow_share drop",
          header, family_set(share_set("peers", length), family),
          family_set(share_set("flows", length), family), masked, most);
    }
  }
  text.close_chain();
  text.open_chain("share");
  if (most != 0) {
    text.line("ct state != new return");
    text.line("ct status confirmed return");  // it has its place, though nobody has answered yet
    text.line("iif {} goto share_of_peer", spec.link_index);
    text.line("add @client_flows4 {{ ip saddr ct count over {} }} counter name flow_share drop",
              most);
    text.line(
        "add @client_flows6 {{ ip6 saddr & {} ct count over {} }} counter name flow_share drop",
        netmask(Family::v6, 64), most);
  }
  text.close_chain();
}

// The chain that decides over a connection that is not relayed; reached by goto, never returns.
void write_routed(FirewallLines& text, const FirewallSpec& spec) {
  text.open_chain("refused_client");
  text.line("counter name from_tunnel reject with icmpx admin-prohibited");
  text.close_chain();
  text.open_chain("refused");
  write_client_sides(text, spec, "goto refused_client");
  text.line("counter name to_tunnel drop");
  text.close_chain();
  // The mark is for the floor, and means nothing to what is for this machine itself.
  text.open_chain("passed");
  text.line("meta mark set meta mark | {:#010x} accept", pass_mark);
  text.close_chain();
  text.open_chain("admitted");
  text.line("jump share");
  text.line("goto passed");
  text.close_chain();
  write_embedded(text, spec);
  text.open_chain("routed");
  text.line("meta nfproto ipv6 jump {}", embedded_chain);
  for (const PolicyRule& rule : spec.policy) {
    for (const std::string& match : rule_matches(rule, false)) {
      // Relayed connections never come here: TCP that does was not taken by the listener, and
      // nothing but TCP can be relayed.
      text.line("{}goto {}", match, rule.action == Action::route ? "admitted" : "refused");
    }
  }
  text.line("goto refused");
  text.close_chain();
}

// HTTP/3 would go past the relay. The policy is asked as for the TCP that takes its place: the
// rules in their order, and the first that matches decides.
void write_quic(FirewallLines& text, const FirewallSpec& spec) {
  text.open_chain("quic");
  for (const PolicyRule& rule : spec.policy) {
    if (!spec.relay || !spec.reject_quic) break;
    for (const std::string& match : matches_as_tcp(rule, quic_port)) {
      text.line("{}{}", match,
                rule.action == Action::relay
                    ? "counter name quic reject with icmpx port-unreachable"
                    : "return");
    }
  }
  text.close_chain();
}

void write_from_client(FirewallLines& text, const FirewallSpec& spec) {
  text.line("meta l4proto tcp socket transparent 1 socket wildcard 0 meta mark set {:#x} accept",
            spec.mark);
  if (spec.reject_quic) {
    // Before it is routed: a redirect for what goes back by the device it came from would use up
    // the client's share of ICMP.
    text.line(
        "udp dport {} ct state != {{ established, related }} fib daddr type unicast jump quic",
        quic_port);
  }
  text.line("meta l4proto != tcp return");
  if (!spec.client_devices.empty()) {
    text.line("iif != {} fib daddr type {{ local, broadcast, multicast }} return", spec.link_index);
  }
  // Answers to those who connected to a host behind the tunnel.
  text.line("ct direction reply return");
  // To a leg port: ours is input's to judge, and another PoP's would take us for the PoP.
  std::vector<IpAddress> legs = spec.own_addresses;
  legs.insert(legs.end(), spec.pop_addresses.begin(), spec.pop_addresses.end());
  for (const Family family : families_of(legs)) {
    text.line("{}tcp dport {} return", address_match(family, "daddr", legs), spec.leg_port);
  }
  text.line("jump relayed");
}

// Towards client devices: answers. Where nothing was forwarded before us, nobody else gets there
// either, unless the policy says so.
void write_to_clients(FirewallLines& text, const FirewallSpec& spec) {
  if (!spec.relay) return;
  std::vector<std::string> sides;
  if (!spec.client_indexes.empty()) {
    sides.push_back(fmt::format("oif {{ {} }} ", fmt::join(spec.client_indexes, ", ")));
  }
  if (!spec.client_devices.empty()) {
    sides.push_back(fmt::format("oifname {{ \"{}\" }} ", fmt::join(spec.client_devices, "\", \"")));
  }
  for (const std::string& side : sides) {
    text.line("{}ct state established,related goto passed", side);
    if (spec.drop_foreign_v4) text.line("{}meta nfproto ipv4 goto routed", side);
    if (spec.drop_foreign_v6) text.line("{}meta nfproto ipv6 goto routed", side);
  }
}

void write_prerouting(FirewallLines& text, const FirewallSpec& spec) {
  text.open_chain("to_listener");
  if (spec.relay) {
    text.line("meta l4proto tcp meta mark set {:#x} tproxy to :{} accept", spec.mark,
              spec.listen_port);
  }
  text.close_chain();
  text.open_chain("relayed");
  for (const PolicyRule& rule : spec.policy) {
    if (!spec.relay) break;
    for (const std::string& match : rule_matches(rule, true)) {
      text.line("{}{}", match, rule.action == Action::relay ? "goto to_listener" : "return");
    }
  }
  text.close_chain();

  // First what most packets are: of a connection that is being relayed, and stays so when the
  // policy changes. A wildcard socket is a listener, ours or not: it must not pull in what the
  // policy has not chosen.
  text.open_chain("from_client");
  if (spec.relay) write_from_client(text, spec);
  text.close_chain();
  // A packet that is no client's goes on at once: each `socket` looks one up, and servers' answers
  // are many.
  text.open_chain("prerouting", "filter hook prerouting priority mangle");
  if (spec.relay) write_client_sides(text, spec, "goto from_client");
  text.close_chain();
}

// To the relay's sockets and nobody else's: the permission must not outlive its owner. Each has our
// mark (SO_MARK), which takes CAP_NET_ADMIN to set; one of a connection that is over has none.
void write_relayed_input(FirewallLines& text, const FirewallSpec& spec) {
  // First what most packets are. The mark is prerouting's, which has looked at the device.
  text.line("meta mark {:#x} socket transparent 1 ct state != new accept", spec.mark);
  text.line("meta mark {:#x} socket transparent 1 socket mark {:#x} goto admitted", spec.mark,
            spec.own_mark);
  text.line("meta l4proto tcp meta mark {:#x} counter name no_listener reject with tcp reset",
            spec.mark);
}

void write_tunnel_input(FirewallLines& text, const FirewallSpec& spec) {
  const std::vector<IpAddress>& own = spec.own_addresses;
  text.open_chain("from_tunnel");
  text.line("ct state established,related accept");
  for (const Family family : families_of(own)) {
    text.line("{}{} type echo-request goto admitted", address_match(family, "daddr", own),
              family == Family::v4 ? "icmp" : "icmpv6");
  }
  if (spec.relay) {
    for (const Family family : common_families(own, spec.pop_addresses)) {
      const std::string from_pop =
          address_match(family, "saddr", spec.pop_addresses) + address_match(family, "daddr", own);
      text.line(
          "{}tcp dport {} socket mark != {:#x} counter name other_socket reject with tcp reset",
          from_pop, spec.leg_port, spec.own_mark);
      text.line("{}tcp dport {} accept", from_pop, spec.leg_port);
      // A leg that we had before we were killed is reset: the other PoP is to know that it is gone.
      // Only packets new to connection tracking: it calls late duplicates of a living leg invalid.
      text.line("{}tcp sport {} ct state new reject with tcp reset", from_pop, spec.leg_port);
    }
    text.line("tcp dport {{ {}, {} }} goto refused", spec.listen_port, spec.leg_port);
  }
  text.line("goto routed");
  text.close_chain();
}

void write_input(FirewallLines& text, const FirewallSpec& spec) {
  const std::vector<IpAddress>& own = spec.own_addresses;
  write_tunnel_input(text, spec);
  text.open_chain("input", "filter hook input priority filter");
  if (spec.relay) write_relayed_input(text, spec);
  text.line("iif {} goto from_tunnel", spec.link_index);
  if (spec.relay) {
    // The relay's ports, for those who come by another device: weak host model, or lo.
    text.line("ct direction reply return");
    text.line("tcp dport {} counter name relay_ports drop", spec.listen_port);
    for (const Family family : families_of(own)) {
      text.line("{}tcp dport {} counter name relay_ports drop", address_match(family, "daddr", own),
                spec.leg_port);
    }
  }
  // An overlay address obeys the policy whichever way it is reached; lo is this machine itself.
  text.line("iif lo return");
  text.line("ct state established,related return");
  for (const Family family : families_of(own)) {
    text.line("{}goto routed", address_match(family, "daddr", own));
  }
  text.close_chain();
}

// A local user has the PoP's overlay address too, and could pass for the PoP. Only what opens a
// connection is looked at: the reset of a leg must leave, whoever sends it.
void write_output(FirewallLines& text, const FirewallSpec& spec) {
  // A reset may be the kernel's own answer.
  text.open_chain("overlay_source");
  text.line("tcp flags & rst == rst return");
  for (const Family family : families_of(spec.own_addresses)) {
    text.line("{}return", address_match(family, "saddr", spec.own_addresses));
  }
  text.line("counter name spoofed drop");
  text.close_chain();
  text.open_chain("output", "filter hook output priority filter");
  // First what most packets are: the relay answers clients with their servers' addresses, and opens
  // legs. What it sends to servers has none of our marks, and passes the next two lines.
  if (spec.relay) text.line("meta mark {:#x} return", spec.own_mark);
  for (const Family family : {Family::v4, Family::v6}) {
    text.line("{} saddr @{} jump overlay_source", family == Family::v4 ? "ip" : "ip6",
              family_set("overlay", family));
  }
  for (const Family family : families_of(spec.pop_addresses)) {
    if (!spec.relay) break;
    text.line(
        "{}tcp dport {} tcp flags & (syn | ack | rst) == syn counter name other_legs reject with "
        "tcp reset",
        address_match(family, "daddr", spec.pop_addresses), spec.leg_port);
  }
  text.close_chain();
}

void write_forward(FirewallLines& text, const FirewallSpec& spec) {
  text.open_chain("judged");
  text.line("ct state established,related goto passed");
  if (spec.relay) {
    for (const Family family : families_of(spec.pop_addresses)) {
      text.line("{}tcp dport {} goto refused", address_match(family, "daddr", spec.pop_addresses),
                spec.leg_port);
    }
  }
  text.line("goto routed");
  text.close_chain();

  text.open_chain("forward", fmt::format("filter hook forward priority {}", int{judge_at}));
  write_client_sides(text, spec, "goto judged");
  text.line("oif {} goto judged", spec.link_index);
  for (const Family family : {Family::v4, Family::v6}) {
    text.line("{} daddr @{} goto judged", family == Family::v4 ? "ip" : "ip6",
              family_set("overlay", family));
  }
  write_to_clients(text, spec);
  text.close_chain();

  text.open_chain("foreign", fmt::format("filter hook forward priority {}", int{foreign_at}));
  if (spec.drop_foreign_v4 || spec.drop_foreign_v6) {
    text.line("meta mark & {0:#010x} == {0:#010x} return", pass_mark);
  }
  write_forwarded_before(text, spec);
  if (spec.drop_foreign_v4) text.line("meta nfproto ipv4 counter name foreign_forward drop");
  if (spec.drop_foreign_v6) text.line("meta nfproto ipv6 counter name foreign_forward drop");
  text.close_chain();
}

void write_clamp(FirewallLines& text, const FirewallSpec& spec) {
  if (!spec.clamp_mss) return;
  text.open_chain("clamp", "filter hook forward priority mangle");
  for (const std::string_view side : {"iif", "oif"}) {
    text.line("{} {} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu", side,
              spec.link_index);
  }
  text.close_chain();
}

// Without a rule there is no chain: its hook alone would have every connection of this machine
// looked up and noted for address translation, and take memory for it. (A reload that ends
// masquerading leaves the chain, empty.)
void write_source_nat(FirewallLines& text, const FirewallSpec& spec) {
  if (spec.masquerade.empty()) return;
  text.open_chain("masqueraded");
  for (const Family family : {Family::v4, Family::v6}) {
    const bool any =
        std::any_of(spec.masquerade.begin(), spec.masquerade.end(),
                    [family](const Prefix& prefix) { return prefix.address.family() == family; });
    if (!any) continue;
    text.line("{}masquerade", address_match(family, "saddr", spec.masquerade));
  }
  text.close_chain();
  // Only what clients have sent: nobody else is to use us as his way out.
  text.open_chain("source_nat", "nat hook postrouting priority srcnat");
  text.line("oif {{ lo, {} }} return", spec.link_index);
  write_client_sides(text, spec, "goto masqueraded");
  text.close_chain();
}

}  // namespace

bool is_device_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > longest_device_name || name == "." || name == "..") {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char byte) {
    return is_alphanumeric(byte) || std::string_view{"_=+.-"}.find(byte) != std::string_view::npos;
  });
}

std::string firewall_table(std::string_view device) {
  std::string name = "thalweg_";
  for (const char byte : device) {
    if (is_alphanumeric(byte) || byte == '.' || byte == '-') {
      name += byte;
    } else {
      name += fmt::format("_{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return name;
}

std::string render_firewall(const FirewallSpec& spec) {
  TW_ASSERT(is_device_name(spec.device));
  TW_ASSERT(!spec.relay || (spec.mark != 0 && spec.own_mark != 0 && spec.mark != spec.own_mark));
  TW_ASSERT(spec.link_index != 0);
  TW_ASSERT(std::ranges::all_of(spec.client_devices, is_device_name));
  const std::string table = firewall_table(spec.device);
  FirewallLines text;
  // Adding first makes the flush succeed the first time; both are one transaction with the rest.
  text.add(fmt::format("add table inet {0} {{ flags owner; }}\nflush table inet {0}\n", table));
  text.add(fmt::format("table inet {} {{\n  flags owner\n", table));
  write_counters(text);
  for (const Family family : {Family::v4, Family::v6}) {
    declare_ranges(text, "overlay", family, false);
  }
  declare_shares(text, spec);
  write_untracked(text, spec);
  write_guard(text, spec);
  write_share(text, spec);
  write_routed(text, spec);
  write_quic(text, spec);
  write_prerouting(text, spec);
  write_input(text, spec);
  write_output(text, spec);
  write_forward(text, spec);
  write_clamp(text, spec);
  write_source_nat(text, spec);
  text.add("}\n");
  const std::vector<OverlayRange> overlay = without_peers(spec.overlay);
  for (const Family family : {Family::v4, Family::v6}) {
    fill_ranges(text, table, "overlay", family, overlay, false);
    for (const std::uint32_t length : share_lengths(spec, family)) {
      fill_ranges(text, table, share_set("peers", length), family, of_length(spec, family, length),
                  false);
    }
  }
  return text.take();
}

}  // namespace tw
