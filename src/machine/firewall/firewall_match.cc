#include "machine/firewall/firewall_match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "base/assert.h"

namespace tw {
namespace {

using relay::PolicyRule;
using relay::PortRange;
using relay::Protocol;

bool is_of(const IpAddress& address, Family family) noexcept { return address.family() == family; }

std::string set_of(const std::vector<std::string>& elements) {
  if (elements.size() == 1) return elements.front();
  return fmt::format("{{ {} }}", fmt::join(elements, ", "));
}

std::string_view header_of(Family family) noexcept { return family == Family::v4 ? "ip" : "ip6"; }

// The family's part of an address list: nothing to say, text, or nullopt if it cannot match.
std::optional<std::string> side_match(Family family, std::string_view field,
                                      const std::vector<Prefix>& prefixes) {
  if (prefixes.empty()) return "";
  const bool any = std::any_of(prefixes.begin(), prefixes.end(), [family](const Prefix& prefix) {
    return is_of(prefix.address, family);
  });
  if (!any) return {};
  return address_match(family, field, prefixes);
}

std::string port_elements(const std::vector<PortRange>& ports) {
  std::vector<std::string> elements;
  for (const PortRange& range : without_overlaps(ports)) {
    elements.push_back(range.first == range.last ? fmt::format("{}", range.first)
                                                 : fmt::format("{}-{}", range.first, range.last));
  }
  return set_of(elements);
}

std::string protocol_match(const PolicyRule& rule, bool tcp_only) {
  const bool ports = !rule.ports.empty();
  switch (rule.protocol) {
    case Protocol::tcp:
      if (ports) return fmt::format("tcp dport {} ", port_elements(rule.ports));
      return tcp_only ? "" : "meta l4proto tcp ";
    case Protocol::udp:
      if (ports) return fmt::format("udp dport {} ", port_elements(rule.ports));
      return "meta l4proto udp ";
    case Protocol::icmp:
      return "meta l4proto { icmp, ipv6-icmp } ";
    case Protocol::any:
      break;
  }
  if (!ports) return "";
  if (tcp_only) return fmt::format("tcp dport {} ", port_elements(rule.ports));
  return fmt::format("meta l4proto {{ tcp, udp }} th dport {} ", port_elements(rule.ports));
}

}  // namespace

std::vector<Prefix> without_overlaps(std::vector<Prefix> prefixes) {
  // In this order a prefix comes right after everything that contains it.
  std::sort(prefixes.begin(), prefixes.end());
  std::vector<Prefix> kept;
  for (const Prefix& prefix : prefixes) {
    if (kept.empty() || !kept.back().contains(prefix.address)) kept.push_back(prefix);
  }
  return kept;
}

std::vector<PortRange> without_overlaps(std::vector<PortRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const PortRange& left, const PortRange& right) {
    return std::pair{left.first, left.last} < std::pair{right.first, right.last};
  });
  std::vector<PortRange> merged;
  for (const PortRange& range : ranges) {
    if (range.first > range.last) continue;  // matches nothing
    if (!merged.empty() && range.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::string address_match(Family family, std::string_view field,
                          const std::vector<Prefix>& prefixes) {
  std::vector<std::string> elements;
  for (const Prefix& prefix : without_overlaps(prefixes)) {
    if (!is_of(prefix.address, family)) continue;
    // Everything of the family. (A set cannot hold /0.)
    if (prefix.length == 0) {
      return fmt::format("meta nfproto {} ", family == Family::v4 ? "ipv4" : "ipv6");
    }
    elements.push_back(prefix.text());
  }
  TW_ASSERT(!elements.empty());
  return fmt::format("{} {} {} ", header_of(family), field, set_of(elements));
}

std::string address_match(Family family, std::string_view field,
                          const std::vector<IpAddress>& addresses) {
  std::vector<Prefix> prefixes;
  prefixes.reserve(addresses.size());
  for (const IpAddress& address : addresses) {
    prefixes.push_back(Prefix::of(address, static_cast<std::uint8_t>(address.bits())));
  }
  return address_match(family, field, prefixes);
}

std::vector<Family> families_of(const std::vector<IpAddress>& addresses) {
  std::vector<Family> families;
  for (const Family family : {Family::v4, Family::v6}) {
    if (std::ranges::any_of(addresses,
                            [family](const IpAddress& one) { return is_of(one, family); }))
      families.push_back(family);
  }
  return families;
}

std::vector<std::string> rule_matches(const PolicyRule& rule, bool tcp_only) {
  if (tcp_only && rule.protocol != Protocol::tcp && rule.protocol != Protocol::any) return {};
  // A list of which nothing can match is not the same as no list.
  if (!rule.ports.empty() && without_overlaps(rule.ports).empty()) return {};
  const std::string protocol = protocol_match(rule, tcp_only);
  if (rule.from.empty() && rule.to.empty()) return {protocol};
  std::vector<std::string> matches;
  for (const Family family : {Family::v4, Family::v6}) {
    const auto from = side_match(family, "saddr", rule.from);
    const auto to = side_match(family, "daddr", rule.to);
    if (from && to) matches.push_back(*from + *to + protocol);
  }
  return matches;
}

std::vector<std::string> matches_as_tcp(const PolicyRule& rule, std::uint16_t port) {
  if (rule.protocol != Protocol::tcp && rule.protocol != Protocol::any) return {};
  const bool covered =
      rule.ports.empty() || std::ranges::any_of(rule.ports, [port](const PortRange& range) {
        return range.first <= port && port <= range.last;
      });
  if (!covered) return {};
  const bool any_protocol_and_port = false;
  return rule_matches({.from = rule.from, .to = rule.to}, any_protocol_and_port);
}

}  // namespace tw
