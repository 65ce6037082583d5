#include "relay/admission/path_choice.h"

namespace tw::relay {
namespace {

// Better by a tenth, or it is not worth a change.
bool is_clearly_less(Duration a, Duration b) noexcept { return a * 10 < b * 9; }

}  // namespace

Prefix PathChoice::network_of(const IpAddress& target) noexcept {
  return Prefix::of(target, target.is_v4() ? bits_v4 : bits_v6);
}

bool PathChoice::prefers_direct(const IpAddress& target, Duration leg_rtt, Instant now) noexcept {
  const auto found = networks_.find(network_of(target).address);
  if (found == networks_.end()) return false;
  Network& network = found->second;
  const bool known = network.rtt > Duration::zero() && now - network.measured < memory;
  if (!known || leg_rtt == Duration::zero()) return false;
  if (is_clearly_less(network.rtt, leg_rtt)) network.direct = true;
  if (is_clearly_less(leg_rtt, network.rtt)) network.direct = false;
  return network.direct;
}

bool PathChoice::wants_measure(const IpAddress& target, Instant now) {
  Network* const network = remember(target, now);
  if (network == nullptr) return false;
  const Instant again = std::max(network->measured, network->asked) + memory / 2;
  const bool first = network->asked == Instant{} && network->measured == Instant{};
  if (!first && now < again) return false;
  network->asked = now;
  return true;
}

void PathChoice::measured(const IpAddress& target, Duration rtt, Instant now) {
  Network* const network = remember(target, now);
  if (network == nullptr) return;
  network->rtt = rtt;
  network->measured = now;
}

PathChoice::Network* PathChoice::remember(const IpAddress& target, Instant now) {
  const IpAddress key = network_of(target).address;
  if (const auto found = networks_.find(key); found != networks_.end()) return &found->second;
  if (networks_.size() >= most_networks) {
    std::erase_if(networks_, [now](const auto& entry) {
      return now - std::max(entry.second.measured, entry.second.asked) >= memory;
    });
  }
  return networks_.size() < most_networks ? &networks_[key] : nullptr;
}

}  // namespace tw::relay
