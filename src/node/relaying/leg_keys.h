// The keys that legs are proven by, of the identities that the device has now: those of the file,
// or what somebody has set since by UAPI.
#pragma once

#include <optional>
#include <vector>

#include "crypto/secret.h"
#include "node/config/config.h"
#include "node/tunnel/tunnel_device.h"
#include "relay/settings.h"

namespace tw::node {

/// The keys that make a PoP's leg key; empty where the device has no private key, or not this peer.
struct LegIdentity {
  crypto::PrivateKey ours;
  crypto::PublicKey theirs;
  crypto::PresharedKey preshared;
  friend bool operator==(const LegIdentity&, const LegIdentity&) noexcept = default;
};
using LegIdentities = std::vector<std::optional<LegIdentity>>;

/// Beside config.pops. Cost: a look-up or two a PoP.
LegIdentities leg_identities(const NodeConfig& config, const Device& device);
/// Fills in the keys of `settings.pops`, which are beside config.pops too. Two curve operations a
/// PoP.
void set_leg_keys(relay::RelaySettings& settings, const LegIdentities& identities) noexcept;

}  // namespace tw::node
