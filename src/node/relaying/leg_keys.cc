#include "node/relaying/leg_keys.h"

#include <algorithm>

#include "relay/proof/leg_key.h"

namespace tw::node {

LegIdentities leg_identities(const NodeConfig& config, const Device& device) {
  LegIdentities identities;
  for (const PopConfig& pop : config.pops) {
    auto& identity = identities.emplace_back();
    const auto peer = std::ranges::find(config.peers, pop.peer, &PeerConfig::name);
    if (peer == config.peers.end()) continue;
    if (auto pair = device.identities_with(peer->public_key)) {
      identity = {.ours = pair->ours, .theirs = peer->public_key, .preshared = pair->preshared};
    }
  }
  return identities;
}

void set_leg_keys(relay::RelaySettings& settings, const LegIdentities& identities) noexcept {
  for (std::size_t i = 0; i < std::min(settings.pops.size(), identities.size()); ++i) {
    const auto& pair = identities[i];
    settings.pops[i].key =
        pair ? relay::derive_leg_key(pair->ours, pair->theirs, pair->preshared) : std::nullopt;
  }
}

}  // namespace tw::node
