#include "relay/admission/target_check.h"

#include <algorithm>

#include "relay/admission/policy.h"
#include "wire/ip/embedded_ipv4.h"

namespace tw::relay {
namespace {

bool names(const std::vector<Prefix>& prefixes, const IpAddress& address) noexcept {
  return std::ranges::any_of(prefixes,
                             [&](const Prefix& prefix) { return prefix.contains(address); });
}

}  // namespace

TargetVerdict check_target(const Endpoint& target, const TargetRules& rules,
                           RouteLookup& lookup) noexcept {
  const bool named = names(rules.local_targets, target.address);
  const auto is_pop = [&](const IpAddress& address) {
    return std::ranges::find(rules.pops, address) != rules.pops.end();
  };
  if (!named) {
    if (is_special(target.address) || is_pop(target.address)) return TargetVerdict::special;
    for (const IpAddress& inside : EmbeddedIpv4{target.address}) {
      if (is_special(inside) || is_pop(inside)) return TargetVerdict::special;
      const auto route = lookup.ask(inside);
      if (!route) return TargetVerdict::unreachable;
      if (route->kind == KernelRoute::Kind::local) return TargetVerdict::special;
    }
  }
  const auto route = lookup.ask(target.address);
  if (!route) return TargetVerdict::unreachable;
  switch (route->kind) {
    case KernelRoute::Kind::unreachable:
      return TargetVerdict::unreachable;
    case KernelRoute::Kind::local: {
      // Our own listeners are nobody's target, named or not: that would be a loop.
      const bool ours = target.port == rules.listen_port || target.port == rules.leg_port;
      return named && !ours ? TargetVerdict::fit : TargetVerdict::special;
    }
    case KernelRoute::Kind::remote:
      break;
  }
  // A PoP takes our connections to its leg port for legs of ours, and their first bytes for our
  // word.
  const bool forged_leg = target.port == rules.leg_port && route->device_index == rules.tun_index;
  return forged_leg ? TargetVerdict::special : TargetVerdict::fit;
}

}  // namespace tw::relay
