// Finds the least change from the device that is to the one a configuration wants, so that a
// reload leaves every peer alone of which nothing is different.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "crypto/secret.h"
#include "node/device/device.h"
#include "wire/address.h"

namespace tw::node {

/// A peer as configured, its host name resolved.
struct WantedPeer {
  crypto::PublicKey public_key;
  crypto::PresharedKey preshared_key;  ///< all zero: none
  std::optional<Endpoint> endpoint;
  std::vector<Prefix> allowed_ips;
  std::uint16_t persistent_keepalive_s = 0;
};

struct WantedDevice {
  crypto::PrivateKey private_key;
  std::uint16_t listen_port = 0;  ///< 0: any
  std::uint32_t fwmark = 0;
  std::vector<WantedPeer> peers;  ///< public keys are unique
};

/// `before` is the configuration that was applied last (empty at the start), `now` what has become
/// of it. Peers roam: an endpoint is only set again where the configured one has changed; and where
/// any port was wanted before and is wanted still, the port stays.
DeviceChange difference(const DeviceState& now, const WantedDevice& before,
                        const WantedDevice& wanted);

}  // namespace tw::node
