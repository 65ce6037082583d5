#include "relay/target_check.h"

#include <algorithm>
#include <initializer_list>

#include "relay/policy.h"

namespace tw::relay {
namespace {

bool begins_with(ByteView address, std::initializer_list<std::uint8_t> bytes) noexcept {
  return std::ranges::equal(address.first(bytes.size()), bytes);
}

bool names(const std::vector<Prefix>& prefixes, const IpAddress& address) noexcept {
  return std::ranges::any_of(prefixes,
                             [&](const Prefix& prefix) { return prefix.contains(address); });
}

}  // namespace

std::optional<IpAddress> embedded_v4(const IpAddress& address) noexcept {
  if (address.is_v4()) return std::nullopt;
  const ByteView bytes = address.bytes();
  if (begins_with(bytes, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}) ||
      begins_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}) ||
      begins_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return IpAddress::from_bytes(bytes.subspan(12, 4));
  }
  if (begins_with(bytes, {0x20, 0x02})) return IpAddress::from_bytes(bytes.subspan(2, 4));
  return std::nullopt;
}

TargetVerdict check_target(const Endpoint& target, const TargetRules& rules,
                           RouteLookup& lookup) noexcept {
  const bool named = names(rules.local_targets, target.address);
  if (!named) {
    if (is_special(target.address)) return TargetVerdict::special;
    if (std::ranges::find(rules.pops, target.address) != rules.pops.end()) {
      return TargetVerdict::special;
    }
    if (const auto inside = embedded_v4(target.address)) {
      if (is_special(*inside)) return TargetVerdict::special;
      const auto route = lookup.ask(*inside);
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
