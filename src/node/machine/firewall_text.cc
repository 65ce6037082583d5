#include "node/machine/firewall_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/assert.h"
#include "node/machine/firewall_match.h"

namespace tw::node {
namespace {

using relay::Action;
using relay::PolicyRule;

constexpr std::uint16_t quic_port = 443;
constexpr std::size_t longest_device_name = 15;  // IFNAMSIZ without its NUL

bool is_alphanumeric(char byte) noexcept {
  return std::isalnum(static_cast<unsigned char>(byte)) != 0;
}

// The table's text, grown line by line.
class Text {
 public:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    text_ += "    ";
    text_ += fmt::format(format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  void open_chain(std::string_view name, std::string_view hook = {}) {
    text_ += fmt::format("  chain {} {{\n", name);
    if (!hook.empty()) line("type {}; policy accept;", hook);
  }
  void close_chain() { text_ += "  }\n"; }
  void add(std::string_view raw) { text_ += raw; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

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

std::vector<Family> families_of(const std::vector<IpAddress>& addresses) {
  return common_families(addresses, addresses);
}

// The devices that clients come by, as a value of `iifname`.
std::string client_sides(const FirewallSpec& spec) {
  if (!spec.relay || spec.client_devices.empty()) return fmt::format("\"{}\"", spec.device);
  std::string set = fmt::format("{{ \"{}\"", spec.device);
  for (const std::string& device : spec.client_devices) set += fmt::format(", \"{}\"", device);
  return set + " }";
}

void write_counters(Text& text) {
  for (const std::string_view name : firewall_counters)
    text.add(fmt::format("  counter {} {{ }}\n", name));
}

// What decides over a connection that is not relayed; reached by goto, never returns.
void write_routed(Text& text, const FirewallSpec& spec) {
  text.open_chain("refused");
  text.line("iifname {} counter name from_tunnel reject with icmpx admin-prohibited",
            client_sides(spec));
  text.line("counter name to_tunnel drop");
  text.close_chain();
  text.open_chain("routed");
  for (const PolicyRule& rule : spec.policy) {
    for (const std::string& match : rule_matches(rule, false)) {
      // Relayed connections never come here: TCP that does was not taken by the listener, and
      // nothing but TCP can be relayed.
      text.line("{}{}", match, rule.action == Action::route ? "accept" : "goto refused");
    }
  }
  text.line("goto refused");
  text.close_chain();
}

// HTTP/3 would go past the relay. The policy is asked as for the TCP that takes its place: the
// rules in their order, and the first that matches decides.
void write_quic(Text& text, const FirewallSpec& spec) {
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

void write_prerouting(Text& text, const FirewallSpec& spec) {
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

  text.open_chain("prerouting", "filter hook prerouting priority mangle");
  if (spec.relay) {
    // First what is not ours: each `socket` below looks one up, and servers' answers are many.
    text.line("iifname != {} return", client_sides(spec));
    // Then what most packets are: of a connection that is being relayed, and stays so when the
    // policy changes. A wildcard socket is a listener, ours or not: it must not pull in what the
    // policy has not chosen.
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
      text.line("iifname != \"{}\" fib daddr type {{ local, broadcast, multicast }} return",
                spec.device);
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
  text.close_chain();
}

void write_input(Text& text, const FirewallSpec& spec) {
  const std::vector<IpAddress>& own = spec.own_addresses;
  text.open_chain("input", "filter hook input priority filter");
  if (spec.relay) {
    // First what most packets are. The mark is prerouting's, which has looked at the device.
    text.line("meta mark {:#x} socket transparent 1 accept", spec.mark);
    // The relay's ports, for those who come by another device: weak host model, or lo.
    text.line("iifname != \"{}\" ct direction reply return", spec.device);
    text.line("iifname != \"{}\" tcp dport {} counter name relay_ports drop", spec.device,
              spec.listen_port);
    for (const Family family : families_of(own)) {
      text.line("iifname != \"{}\" {}tcp dport {} counter name relay_ports drop", spec.device,
                address_match(family, "daddr", own), spec.leg_port);
    }
  }
  if (spec.relay) {
    text.line("iifname != {} return", client_sides(spec));
    text.line("meta mark {:#x} counter name no_listener reject with tcp reset", spec.mark);
  }
  text.line("iifname != \"{}\" return", spec.device);
  text.line("ct state established,related accept");
  for (const Family family : families_of(own)) {
    text.line("{}{} type echo-request accept", address_match(family, "daddr", own),
              family == Family::v4 ? "icmp" : "icmpv6");
  }
  if (spec.relay) {
    for (const Family family : common_families(own, spec.pop_addresses)) {
      text.line("{}{}tcp dport {} accept", address_match(family, "saddr", spec.pop_addresses),
                address_match(family, "daddr", own), spec.leg_port);
      // Of a leg that we had before we were killed: the other PoP is to know that it is gone. Only
      // what connection tracking has never seen: of a living leg it calls late duplicates invalid.
      text.line("{}{}tcp sport {} ct state new reject with tcp reset",
                address_match(family, "saddr", spec.pop_addresses),
                address_match(family, "daddr", own), spec.leg_port);
    }
    text.line("tcp dport {{ {}, {} }} goto refused", spec.listen_port, spec.leg_port);
  }
  text.line("goto routed");
  text.close_chain();
}

void write_forward(Text& text, const FirewallSpec& spec) {
  text.open_chain("forward", "filter hook forward priority filter");
  text.line("iifname != {} oifname != \"{}\" return", client_sides(spec), spec.device);
  text.line("ct state established,related accept");
  if (spec.relay) {
    for (const Family family : families_of(spec.pop_addresses)) {
      text.line("{}tcp dport {} goto refused", address_match(family, "daddr", spec.pop_addresses),
                spec.leg_port);
    }
  }
  text.line("goto routed");
  text.close_chain();
}

void write_clamp(Text& text, const FirewallSpec& spec) {
  if (!spec.clamp_mss) return;
  text.open_chain("clamp", "filter hook forward priority mangle");
  for (const std::string_view side : {"iifname", "oifname"}) {
    text.line("{} \"{}\" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu", side,
              spec.device);
  }
  text.close_chain();
}

// Without a rule there is no chain: its hook alone would have every connection of this machine
// looked up and noted for address translation, and take memory for it. (A reload that ends
// masquerading leaves the chain, empty.)
void write_source_nat(Text& text, const FirewallSpec& spec) {
  if (spec.masquerade.empty()) return;
  text.open_chain("source_nat", "nat hook postrouting priority srcnat");
  for (const Family family : {Family::v4, Family::v6}) {
    const bool any =
        std::any_of(spec.masquerade.begin(), spec.masquerade.end(),
                    [family](const Prefix& prefix) { return prefix.address.family() == family; });
    if (!any) continue;
    // lo: we ourselves, talking to our own overlay address.
    text.line("oifname != {{ \"{}\", \"lo\" }} {}masquerade", spec.device,
              address_match(family, "saddr", spec.masquerade));
  }
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
  TW_ASSERT(!spec.relay || spec.mark != 0);
  TW_ASSERT(std::ranges::all_of(spec.client_devices, is_device_name));
  const std::string table = firewall_table(spec.device);
  Text text;
  // Adding first makes the flush succeed the first time; both are one transaction with the rest.
  text.add(fmt::format("add table inet {0} {{ flags owner; }}\nflush table inet {0}\n", table));
  text.add(fmt::format("table inet {} {{\n  flags owner\n", table));
  write_counters(text);
  write_routed(text, spec);
  write_quic(text, spec);
  write_prerouting(text, spec);
  write_input(text, spec);
  write_forward(text, spec);
  write_clamp(text, spec);
  write_source_nat(text, spec);
  text.add("}\n");
  return text.take();
}

}  // namespace tw::node
