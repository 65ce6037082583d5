#include "relay/admission/admission.h"

#include <net/if.h>

#include <algorithm>

namespace tw::relay {
namespace {

// ::ffff:a.b.c.d would be an IPv4 connection past the rules for IPv4.
Endpoint unmapped(Endpoint endpoint) noexcept {
  endpoint.address = endpoint.address.unmapped();
  return endpoint;
}

}  // namespace

Admission::Admission(const RelaySettings& settings, int tun_index, RouteLookup& lookup)
    : policy_(settings.policy),
      pop_clients_(settings.pop_clients),
      routes_(settings.pops),
      rules_{.local_targets = settings.local_targets,
             .pops = {},
             .tun_index = tun_index,
             .listen_port = settings.listen_port,
             .leg_port = settings.leg_port},
      direct_(settings.direct),
      lookup_(&lookup) {
  for (const PopSettings& pop : settings.pops) rules_.pops.push_back(pop.overlay_address);
  for (const std::string& device : settings.client_devices) {
    client_devices_.push_back(static_cast<int>(::if_nametoindex(device.c_str())));
  }
}

Verdict Admission::admit_client(const Endpoint& client, const Endpoint& target,
                                const PopFilter& usable) const {
  if (const auto refused = refuses_client(client, target)) return std::unexpected(*refused);
  const Endpoint to = unmapped(target);
  if (policy_.decide(client.address.unmapped(), to, Protocol::tcp) != Action::relay) {
    return std::unexpected(Outcome::refused_policy);
  }
  return onward(to, std::nullopt, usable);
}

std::optional<Outcome> Admission::refuses_client(const Endpoint& client,
                                                 const Endpoint& target) const {
  // A PoP is nobody's client: what it sends us unasked has gone round in a circle.
  if (pop_at(client.address)) return Outcome::refused_source;
  return refuses(client, target);
}

// A PoP that is none any more names nobody.
std::optional<Outcome> Admission::refuses_leg(const Endpoint& client, const Endpoint& target,
                                              std::optional<std::size_t> from) const {
  if (!from) return Outcome::refused_source;
  if (!may_name(*from, client.address.unmapped())) return Outcome::refused_client;
  return refuses(client, target);
}

std::optional<Outcome> Admission::refuses(const Endpoint& client, const Endpoint& target) const {
  const Endpoint to = unmapped(target);
  if (to.port == 0) return Outcome::refused_special;
  if (policy_.decide(client.address.unmapped(), to, Protocol::tcp) == Action::refuse) {
    return Outcome::refused_policy;
  }
  return std::nullopt;
}

bool Admission::refuses_target(const Endpoint& target) const noexcept {
  return check_target(unmapped(target), rules_, *lookup_) == TargetVerdict::special;
}

Verdict Admission::onward(const Endpoint& target, std::optional<std::size_t> from,
                          const PopFilter& usable) const {
  const auto route = routes_.find(target.address, usable, from);
  if (!route) return directly(target);
  if (!route->usable && direct_ != DirectWay::never) {
    // With no way from here the PoP is tried all the same.
    const Verdict verdict = directly(target);
    if (verdict || verdict.error() != Outcome::connect_failed) return verdict;
  }
  // The far PoP checks what is local there; what is local or special here is refused here. That is
  // also what a connection to the listener's own address comes to, made without TPROXY.
  const TargetVerdict verdict = check_target(target, rules_, *lookup_);
  if (verdict == TargetVerdict::special) return std::unexpected(Outcome::refused_special);
  return Way{route->pop};
}

std::optional<std::size_t> Admission::pop_at(const IpAddress& peer) const noexcept {
  const auto pop = std::ranges::find(rules_.pops, peer.unmapped());
  if (pop == rules_.pops.end()) return std::nullopt;
  return static_cast<std::size_t>(pop - rules_.pops.begin());
}

Verdict Admission::admit_leg(const Endpoint& client, const Endpoint& target, const Arrival& arrival,
                             const PopFilter& usable) const {
  if (const auto refused = refuses_leg(client, target, arrival.from)) {
    return std::unexpected(*refused);
  }
  const Endpoint to = unmapped(target);
  const Verdict way = onward(to, arrival.from, usable);
  const bool farther = way && way->pop;
  return farther && arrival.hops >= most_hops ? std::unexpected(Outcome::refused_hops) : way;
}

// Clients of our devices are ours as well, and have no allowed IPs: whoever is on their links.
bool Admission::may_name(std::size_t pop, const IpAddress& client) const noexcept {
  if (!pop_clients_) return true;
  if (!pop_clients_->may_name(pop, client)) return false;
  if (client_devices_.empty() || pop_clients_->is_given(pop, client)) return true;
  const auto way = lookup_->ask(client);
  if (!way || !way->on_link) return true;
  return way->kind == KernelRoute::Kind::remote &&
         std::ranges::find(client_devices_, way->device_index) == client_devices_.end();
}

Verdict Admission::directly(const Endpoint& target) const noexcept {
  switch (check_target(target, rules_, *lookup_)) {
    case TargetVerdict::fit:
      return Way{};
    case TargetVerdict::special:
      return std::unexpected(Outcome::refused_special);
    case TargetVerdict::unreachable:
      break;
  }
  return std::unexpected(Outcome::connect_failed);
}

}  // namespace tw::relay
