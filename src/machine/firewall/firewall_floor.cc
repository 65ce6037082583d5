// The table that stays when the process is gone, and what both tables have in common.
#include "machine/firewall/firewall_lines.h"

namespace tw {
namespace {

// Bits of a mark other than ours are others', and stay.
void write_strip(FirewallLines& text, std::string_view name, int priority) {
  text.open_chain(name, fmt::format("filter hook forward priority {}", priority));
  text.line("meta mark & {0:#010x} == {0:#010x} meta mark set meta mark & {1:#010x}", pass_mark,
            ~pass_mark);
  text.close_chain();
}

// Applies `drop` to the packets that the policy would have to judge, whoever else may be forwarded.
void write_floor_scope(FirewallLines& text, const FirewallSpec& spec, std::string_view drop) {
  write_client_sides(text, spec, drop);
  text.line("oif {} {}", spec.link_index, drop);
  for (const Family family : {Family::v4, Family::v6}) {
    if (!has_family(spec.overlay, family)) continue;
    const std::string_view header = family == Family::v4 ? "ip" : "ip6";
    text.line("{} saddr @{} {}", header, family_set("overlay", family), drop);
    text.line("{} daddr @{} {}", header, family_set("overlay", family), drop);
  }
}

void write_floor_forward(FirewallLines& text, const FirewallSpec& spec) {
  text.open_chain("forward", fmt::format("filter hook forward priority {}", int{floor_at}));
  text.line("meta mark & {0:#010x} == {0:#010x} return", pass_mark);
  const std::string drop = fmt::format("counter name {} drop", floor_counter);
  write_floor_scope(text, spec, drop);
  write_forwarded_before(text, spec);
  if (spec.drop_foreign_v4) text.line("meta nfproto ipv4 {}", drop);
  if (spec.drop_foreign_v6) text.line("meta nfproto ipv6 {}", drop);
  text.close_chain();
}

// The relay's ports are its own: who takes one once we are gone hears nobody but this machine.
void write_floor_input(FirewallLines& text, const FirewallSpec& spec) {
  if (!spec.relay) return;
  // After the policy's, which has more to say.
  text.open_chain("input", "filter hook input priority 1");
  text.line("iif lo return");
  text.line("ct state established,related return");
  text.line("tcp dport {} socket mark != {:#x} counter name {} drop", spec.listen_port,
            spec.own_mark, floor_counter);
  for (const Family family : families_of(spec.own_addresses)) {
    text.line("{}tcp dport {} socket mark != {:#x} counter name {} drop",
              address_match(family, "daddr", spec.own_addresses), spec.leg_port, spec.own_mark,
              floor_counter);
  }
  text.close_chain();
}

}  // namespace

std::string floor_table(std::string_view device) { return firewall_table(device) + "_floor"; }

std::string render_floor(const FirewallSpec& spec, bool anew) {
  const std::string table = floor_table(spec.device);
  FirewallLines text;
  text.add(fmt::format("add table inet {}\n", table));
  if (anew) text.add(fmt::format("delete table inet {0}\nadd table inet {0}\n", table));
  text.add(fmt::format("flush table inet {}\n", table));
  text.add(fmt::format("table inet {} {{\n  counter {} {{ }}\n", table, floor_counter));
  for (const Family family : {Family::v4, Family::v6}) {
    declare_ranges(text, "overlay", family, false);
  }
  write_strip(text, "strip", strip_at);
  write_floor_forward(text, spec);
  write_strip(text, "clear", clear_at);
  write_floor_input(text, spec);
  text.add("}\n");
  const std::vector<OverlayRange> overlay = without_peers(spec.overlay);
  for (const Family family : {Family::v4, Family::v6}) {
    fill_ranges(text, table, "overlay", family, overlay, false);
  }
  return text.take();
}

void declare_ranges(FirewallLines& text, std::string_view name, Family family, bool peers) {
  text.add(fmt::format("  {} {} {{ type {}{}; flags interval; }}\n", peers ? "map" : "set",
                       family_set(name, family), family == Family::v4 ? "ipv4_addr" : "ipv6_addr",
                       peers ? " : mark" : ""));
}

void fill_ranges(FirewallLines& text, std::string_view table, std::string_view name, Family family,
                 const std::vector<OverlayRange>& ranges, bool peers) {
  const std::string set = family_set(name, family);
  text.add(fmt::format("flush set inet {} {}\n", table, set));
  if (!has_family(ranges, family)) return;
  text.add(fmt::format("add element inet {} {} {{ ", table, set));
  for (const OverlayRange& range : ranges) {
    if (range.first.family() != family) continue;
    text.add(range.first == range.last
                 ? range.first.text()
                 : fmt::format("{}-{}", range.first.text(), range.last.text()));
    if (peers) text.add(fmt::format(" : {:#x}", range.peer));
    text.add(", ");
  }
  text.add("}\n");
}

void write_forwarded_before(FirewallLines& text, const FirewallSpec& spec) {
  if (!spec.drop_foreign_v4 || spec.forwarded_before.empty()) return;
  text.line("meta nfproto ipv4 iifname {{ \"{}\" }} return",
            fmt::join(spec.forwarded_before, "\", \""));
}

void write_client_sides(FirewallLines& text, const FirewallSpec& spec, std::string_view verdict) {
  text.line("iif {} {}", spec.link_index, verdict);
  if (!spec.relay) return;
  if (!spec.client_indexes.empty()) {
    text.line("iif {{ {} }} {}", fmt::join(spec.client_indexes, ", "), verdict);
  }
  if (!spec.client_devices.empty()) {
    text.line("iifname {{ \"{}\" }} {}", fmt::join(spec.client_devices, "\", \""), verdict);
  }
}

}  // namespace tw
