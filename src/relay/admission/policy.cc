#include "relay/admission/policy.h"

#include <algorithm>

#include "wire/ip/embedded_ipv4.h"

namespace tw::relay {
namespace {

bool covers(const std::vector<Prefix>& prefixes, const IpAddress& address) noexcept {
  return prefixes.empty() || std::ranges::any_of(prefixes, [&](const Prefix& prefix) {
           return prefix.contains(address);
         });
}

// A protocol without ports is matched by no rule that names some.
bool covers(const std::vector<PortRange>& ports, std::uint16_t port, Protocol protocol) noexcept {
  if (ports.empty()) return true;
  if (protocol != Protocol::tcp && protocol != Protocol::udp) return false;
  return std::ranges::any_of(
      ports, [&](const PortRange& range) { return range.first <= port && port <= range.last; });
}

bool matches(const PolicyRule& rule, const IpAddress& source, const Endpoint& target,
             Protocol protocol) noexcept {
  return (rule.protocol == Protocol::any || rule.protocol == protocol) &&
         covers(rule.ports, target.port, protocol) && covers(rule.from, source) &&
         covers(rule.to, target.address);
}

}  // namespace

Action Policy::decide(const IpAddress& source, const Endpoint& target,
                      Protocol protocol) const noexcept {
  const Action action = decide_plain(source, target, protocol);
  if (action == Action::refuse) return action;
  for (const IpAddress& inside : EmbeddedIpv4{target.address}) {
    if (decide_plain(source, {inside, target.port}, protocol) == Action::refuse) {
      return Action::refuse;
    }
  }
  return action;
}

Action Policy::decide_plain(const IpAddress& source, const Endpoint& target,
                            Protocol protocol) const noexcept {
  const auto rule = std::ranges::find_if(rules_, [&](const PolicyRule& candidate) {
    return matches(candidate, source, target, protocol);
  });
  return rule == rules_.end() ? Action::refuse : rule->action;
}

bool is_special(const IpAddress& target) noexcept {
  const IpAddress address = target.unmapped();
  // All of 0/8 is "this network" (RFC 1122, 3.2.1.3), and Linux takes 0.0.0.0 for itself.
  const bool this_network = address.is_v4() && address.bytes()[0] == 0;
  return this_network || address.is_unspecified() || address.is_loopback() ||
         address.is_link_local() || address.is_multicast();
}

}  // namespace tw::relay
