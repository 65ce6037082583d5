// A WireGuard device as its users see it: keys, peers, allowed IPs. The UAPI and the TOML file both
// become a DeviceChange; the device validates it whole and then hands the parts to the contexts
// that own them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "wire/address.h"

namespace tw::node {

struct AllowedIpChange {
  Prefix prefix;
  bool remove = false;
};

struct PeerChange {
  crypto::PublicKey public_key;
  bool remove = false;
  bool update_only = false;  ///< do nothing unless the peer exists
  std::optional<crypto::PresharedKey> preshared_key;
  std::optional<Endpoint> endpoint;
  std::optional<std::uint16_t> persistent_keepalive_s;
  bool replace_allowed_ips = false;
  std::vector<AllowedIpChange> allowed_ips;
};

/// The changes to a device; an empty member stays as it is.
struct DeviceChange {
  std::optional<crypto::PrivateKey> private_key;  ///< all zero: no identity
  std::optional<std::uint16_t> listen_port;       ///< 0: any
  std::optional<std::uint32_t> fwmark;            ///< 0: none
  bool replace_peers = false;                     ///< peers that are not named go
  std::vector<PeerChange> peers;
};

struct PeerState {
  crypto::PublicKey public_key;
  crypto::PresharedKey preshared_key;
  std::optional<Endpoint> endpoint;
  std::vector<Prefix> allowed_ips;
  std::uint16_t persistent_keepalive_s = 0;
  WallTime last_handshake;     ///< zero: never
  std::uint64_t rx_bytes = 0;  ///< of WireGuard messages, as the kernel device counts them
  std::uint64_t tx_bytes = 0;
};

struct DeviceState {
  crypto::PrivateKey private_key;
  std::uint16_t listen_port = 0;  ///< the port that is bound
  std::uint32_t fwmark = 0;
  std::vector<PeerState> peers;
};

/// A device as it is seen by the code that configures it.
class DeviceControl {
 public:
  virtual ~DeviceControl() = default;
  /// All of it, or an error and nothing.
  virtual Result<void> apply(const DeviceChange& change) = 0;
  virtual Result<DeviceState> state() = 0;
};

}  // namespace tw::node
