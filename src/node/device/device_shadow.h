// The control side's copy of a device's configuration: which peers there are, in which slots, and
// whose each allowed IP is. It turns a DeviceChange into the least that the contexts have to do, so
// that what is not different is not touched, and sessions live on.
//
// Pure: it calls nobody. Changes that peers make by themselves (roaming, handshakes) are not here.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "node/device/device.h"
#include "wg/handshaker.h"
#include "wg/protocol.h"

namespace tw::node {

/// The changes to one peer. An empty member stays as it is.
struct PeerStep {
  wg::PeerId id;
  std::optional<wg::HandshakePeer> added;             ///< first of all: both contexts learn of it
  std::optional<crypto::PresharedKey> preshared_key;  ///< of a peer that was there
  std::optional<Endpoint> endpoint;
  std::optional<Duration> keepalive;
  std::vector<Prefix> gains;
  std::vector<Prefix> loses;  ///< to nobody; what another gains is taken away by that
};

/// In the order to be carried out.
struct DevicePlan {
  std::vector<wg::PeerId> removed;
  std::optional<crypto::PrivateKey> private_key;  ///< ends every session
  std::vector<PeerStep> peers;                    ///< by id; nothing in them depends on the order
  std::vector<Prefix> freed;                      ///< that were somebody's and are nobody's now
};

class DeviceShadow {
 public:
  explicit DeviceShadow(std::size_t peers_max) noexcept : peers_max_(peers_max) {}

  /// Fails if there would be too many peers. Changes nothing.
  Result<void> check(const DeviceChange& change) const;
  /// Takes the change in. It must have been checked. Cost: O(peers and allowed IPs named) lookups,
  /// and of all peers if they are replaced.
  DevicePlan apply(const DeviceChange& change);

  struct Peer {
    wg::PeerId id;
    crypto::PublicKey public_key;
    crypto::PresharedKey preshared_key;
    std::uint16_t persistent_keepalive_s = 0;
    std::vector<Prefix> allowed_ips;  ///< unordered
  };
  const crypto::PrivateKey& private_key() const noexcept { return private_key_; }
  /// In the order of their slots.
  const std::map<wg::PeerId, Peer>& peers() const noexcept { return peers_; }
  const Peer* find(wg::PeerId id) const noexcept;
  const Peer* find(const crypto::PublicKey& key) const noexcept;
  std::optional<wg::PeerId> id_of(const crypto::PublicKey& key) const noexcept;

 private:
  struct Owner {
    wg::PeerId peer;
    std::size_t position;  ///< in its allowed_ips
  };
  class Edit;

  bool is_own(const crypto::PublicKey& key) const noexcept { return own_public_key_ == key; }
  wg::PeerId take_slot();

  std::size_t peers_max_;
  crypto::PrivateKey private_key_;
  std::optional<crypto::PublicKey> own_public_key_;
  std::map<wg::PeerId, Peer> peers_;
  std::unordered_map<crypto::PublicKey, wg::PeerId> by_key_;
  std::map<Prefix, Owner> owners_;
  std::uint32_t slots_ = 0;      // ever used: ids below it are in use or free
  std::deque<wg::PeerId> free_;  // the longest free is used first
};

}  // namespace tw::node
