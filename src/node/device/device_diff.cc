#include "node/device/device_diff.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "crypto/primitives.h"

namespace tw::node {
namespace {

template <typename Peer>
std::unordered_map<crypto::PublicKey, const Peer*> by_key(const std::vector<Peer>& peers) {
  std::unordered_map<crypto::PublicKey, const Peer*> map;
  map.reserve(peers.size());
  for (const Peer& peer : peers) map.emplace(peer.public_key, &peer);
  return map;
}

template <typename Peer>
const Peer* find(const std::unordered_map<crypto::PublicKey, const Peer*>& map,
                 const crypto::PublicKey& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second;
}

std::vector<Prefix> sorted(std::vector<Prefix> prefixes) {
  std::ranges::sort(prefixes);
  prefixes.erase(std::ranges::unique(prefixes).begin(), prefixes.end());
  return prefixes;
}

/// Returns the prefixes that one has and the other has not, both ways.
std::vector<AllowedIpChange> prefix_changes(const std::vector<Prefix>& now,
                                            const std::vector<Prefix>& wanted) {
  const std::vector<Prefix> old_ones = sorted(now), new_ones = sorted(wanted);
  std::vector<AllowedIpChange> changes;
  for (const Prefix& prefix : old_ones) {
    if (!std::ranges::binary_search(new_ones, prefix)) changes.push_back({prefix, true});
  }
  for (const Prefix& prefix : new_ones) {
    if (!std::ranges::binary_search(old_ones, prefix)) changes.push_back({prefix, false});
  }
  return changes;
}

PeerChange peer_change(const PeerState* now, const WantedPeer* before, const WantedPeer& wanted) {
  const PeerState nothing;
  const PeerState& is = now == nullptr ? nothing : *now;
  PeerChange change;
  change.public_key = wanted.public_key;
  if (is.preshared_key != wanted.preshared_key) change.preshared_key = wanted.preshared_key;
  if (is.persistent_keepalive_s != wanted.persistent_keepalive_s) {
    change.persistent_keepalive_s = wanted.persistent_keepalive_s;
  }
  const bool configured_anew =
      now == nullptr || before == nullptr || before->endpoint != wanted.endpoint;
  if (wanted.endpoint && configured_anew) change.endpoint = wanted.endpoint;
  change.allowed_ips = prefix_changes(is.allowed_ips, wanted.allowed_ips);
  return change;
}

bool changes_anything(const PeerChange& change) {
  return change.preshared_key || change.persistent_keepalive_s || change.endpoint ||
         !change.allowed_ips.empty();
}

}  // namespace

DeviceChange difference(const DeviceState& now, const WantedDevice& before,
                        const WantedDevice& wanted) {
  DeviceChange change;
  // A device shows its key clamped.
  const crypto::PrivateKey key =
      wanted.private_key.is_zero() ? wanted.private_key : crypto::clamped(wanted.private_key);
  if (now.private_key != key) change.private_key = key;
  const bool any_port = wanted.listen_port == 0;
  if (any_port ? before.listen_port != 0 : now.listen_port != wanted.listen_port) {
    change.listen_port = wanted.listen_port;
  }
  if (now.fwmark != wanted.fwmark) change.fwmark = wanted.fwmark;

  const auto present = by_key(now.peers);
  const auto configured = by_key(before.peers);
  const auto goal = by_key(wanted.peers);
  for (const PeerState& peer : now.peers) {
    if (goal.contains(peer.public_key)) continue;
    PeerChange& removal = change.peers.emplace_back();
    removal.public_key = peer.public_key;
    removal.remove = true;
  }
  for (const WantedPeer& peer : wanted.peers) {
    const PeerState* is = find(present, peer.public_key);
    PeerChange wish = peer_change(is, find(configured, peer.public_key), peer);
    if (is == nullptr || changes_anything(wish)) change.peers.push_back(std::move(wish));
  }
  return change;
}

}  // namespace tw::node
