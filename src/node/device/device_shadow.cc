#include "node/device/device_shadow.h"

#include <fmt/format.h>

#include <chrono>
#include <unordered_set>
#include <utility>

#include "base/assert.h"
#include "crypto/primitives.h"

namespace tw::node {

/// One change under way: notes what was touched, and at the end compares it with what was before.
class DeviceShadow::Edit {
 public:
  explicit Edit(DeviceShadow& shadow) noexcept : shadow_(shadow) {}

  void set_private_key(const crypto::PrivateKey& key);
  /// Named peers stay and keep their sessions, but a member that the change leaves empty becomes
  /// that of a new peer.
  void replace_peers(const std::vector<PeerChange>& named);
  void change_peer(const PeerChange& change);
  DevicePlan finish();

 private:
  PeerStep& step(wg::PeerId id) {
    PeerStep& found = steps_[id];
    found.id = id;
    return found;
  }
  Peer& add_peer(const PeerChange& change);
  void reset(Peer& peer, const PeerChange& change);
  void set_peer(Peer& peer, const PeerChange& change);
  void remove_peer(wg::PeerId id);
  void note_owner(const Prefix& prefix);
  void give(const Prefix& prefix, Peer& peer);
  void take(const Prefix& prefix, wg::PeerId from);

  DeviceShadow& shadow_;
  DevicePlan plan_;
  std::map<wg::PeerId, PeerStep> steps_;
  std::map<Prefix, std::optional<wg::PeerId>> owners_before_;
  std::vector<wg::PeerId> freed_;
  std::unordered_set<std::uint32_t> stale_;  // slots that stay, not named yet
};

void DeviceShadow::Edit::set_private_key(const crypto::PrivateKey& key) {
  const crypto::PrivateKey used = key.is_zero() ? key : crypto::clamped(key);
  if (used == shadow_.private_key_) return;
  shadow_.private_key_ = used;
  shadow_.own_public_key_.reset();
  if (!used.is_zero()) shadow_.own_public_key_ = crypto::public_key_of(used);
  plan_.private_key = used;
  if (!shadow_.own_public_key_) return;
  // Nobody is a peer of itself.
  const auto found = shadow_.by_key_.find(*shadow_.own_public_key_);
  if (found != shadow_.by_key_.end()) remove_peer(found->second);
}

void DeviceShadow::Edit::replace_peers(const std::vector<PeerChange>& named) {
  for (const PeerChange& peer : named) {
    const auto found = shadow_.by_key_.find(peer.public_key);
    if (!peer.update_only && found != shadow_.by_key_.end()) stale_.insert(found->second.value);
  }
  std::vector<wg::PeerId> go;
  for (const auto& [id, peer] : shadow_.peers_) {
    if (!stale_.contains(id.value)) go.push_back(id);
  }
  for (const wg::PeerId id : go) remove_peer(id);
}

void DeviceShadow::Edit::reset(Peer& peer, const PeerChange& change) {
  PeerChange plain;
  plain.public_key = change.public_key;
  if (!change.preshared_key) plain.preshared_key.emplace();
  if (!change.persistent_keepalive_s) plain.persistent_keepalive_s = 0;
  plain.replace_allowed_ips = true;
  set_peer(peer, plain);
}

void DeviceShadow::Edit::change_peer(const PeerChange& change) {
  if (shadow_.is_own(change.public_key)) return;  // as the kernel device: ignored
  const auto found = shadow_.by_key_.find(change.public_key);
  const bool exists = found != shadow_.by_key_.end();
  if (change.remove) {
    if (exists) remove_peer(found->second);
    return;
  }
  if (!exists && change.update_only) return;
  Peer& peer = exists ? shadow_.peers_.at(found->second) : add_peer(change);
  if (stale_.erase(peer.id.value) > 0) reset(peer, change);
  set_peer(peer, change);
}

void DeviceShadow::Edit::set_peer(Peer& peer, const PeerChange& change) {
  if (change.preshared_key && *change.preshared_key != peer.preshared_key) {
    peer.preshared_key = *change.preshared_key;
    PeerStep& what = step(peer.id);
    (what.added ? what.added->preshared_key : what.preshared_key.emplace()) = peer.preshared_key;
  }
  if (change.endpoint) step(peer.id).endpoint = change.endpoint;
  if (change.persistent_keepalive_s &&
      *change.persistent_keepalive_s != peer.persistent_keepalive_s) {
    peer.persistent_keepalive_s = *change.persistent_keepalive_s;
    step(peer.id).keepalive = std::chrono::seconds{peer.persistent_keepalive_s};
  }
  if (change.replace_allowed_ips) {
    while (!peer.allowed_ips.empty()) take(peer.allowed_ips.back(), peer.id);
  }
  for (const AllowedIpChange& allowed : change.allowed_ips) {
    if (allowed.remove) {
      take(allowed.prefix, peer.id);
    } else {
      give(allowed.prefix, peer);
    }
  }
}

DeviceShadow::Peer& DeviceShadow::Edit::add_peer(const PeerChange& change) {
  const wg::PeerId id = shadow_.take_slot();
  Peer& peer = shadow_.peers_[id];
  peer.id = id;
  peer.public_key = change.public_key;
  shadow_.by_key_.emplace(change.public_key, id);
  step(id).added.emplace().public_key = change.public_key;
  return peer;
}

void DeviceShadow::Edit::remove_peer(wg::PeerId id) {
  Peer& peer = shadow_.peers_.at(id);
  while (!peer.allowed_ips.empty()) take(peer.allowed_ips.back(), id);
  shadow_.by_key_.erase(peer.public_key);
  shadow_.peers_.erase(id);
  const auto found = steps_.find(id);
  const bool was_there = found == steps_.end() || !found->second.added;
  if (found != steps_.end()) steps_.erase(found);
  if (was_there) plan_.removed.push_back(id);
  freed_.push_back(id);
}

void DeviceShadow::Edit::note_owner(const Prefix& prefix) {
  const auto [noted, first] = owners_before_.try_emplace(prefix);
  if (!first) return;
  const auto found = shadow_.owners_.find(prefix);
  if (found != shadow_.owners_.end()) noted->second = found->second.peer;
}

void DeviceShadow::Edit::give(const Prefix& prefix, Peer& peer) {
  note_owner(prefix);
  const auto found = shadow_.owners_.find(prefix);
  if (found != shadow_.owners_.end()) {
    if (found->second.peer == peer.id) return;
    take(prefix, found->second.peer);
  }
  shadow_.owners_[prefix] = Owner{peer.id, peer.allowed_ips.size()};
  peer.allowed_ips.push_back(prefix);
}

void DeviceShadow::Edit::take(const Prefix& prefix, wg::PeerId from) {
  const auto found = shadow_.owners_.find(prefix);
  if (found == shadow_.owners_.end() || found->second.peer != from) return;
  note_owner(prefix);
  std::vector<Prefix>& list = shadow_.peers_.at(from).allowed_ips;
  const std::size_t position = found->second.position;
  shadow_.owners_.erase(found);
  // The last one fills the gap.
  if (position + 1 < list.size()) {
    list[position] = list.back();
    shadow_.owners_.at(list[position]).position = position;
  }
  list.pop_back();
}

DevicePlan DeviceShadow::Edit::finish() {
  for (const auto& [prefix, before] : owners_before_) {
    const auto found = shadow_.owners_.find(prefix);
    if (found != shadow_.owners_.end()) {
      if (before != found->second.peer) step(found->second.peer).gains.push_back(prefix);
    } else if (before) {
      plan_.freed.push_back(prefix);
      if (shadow_.peers_.contains(*before)) step(*before).loses.push_back(prefix);
    }
  }
  plan_.peers.reserve(steps_.size());
  for (auto& [id, what] : steps_) plan_.peers.push_back(std::move(what));
  // Not before the change is complete: the contexts still know these ids.
  shadow_.free_.insert(shadow_.free_.end(), freed_.begin(), freed_.end());
  return std::move(plan_);
}

// ---- DeviceShadow

Result<void> DeviceShadow::check(const DeviceChange& change) const {
  std::size_t count = change.replace_peers ? 0 : peers_.size();
  std::unordered_map<crypto::PublicKey, bool> is_peer;  // of those named, so far
  for (const PeerChange& peer : change.peers) {
    const auto [known, first] = is_peer.try_emplace(peer.public_key);
    if (first) known->second = !change.replace_peers && by_key_.contains(peer.public_key);
    const bool was = known->second;
    known->second = !peer.remove && (was || !peer.update_only);
    count = count + (known->second ? 1U : 0U) - (was ? 1U : 0U);
  }
  if (count > peers_max_) {
    return make_error(Error::Kind::exhausted,
                      fmt::format("more than {} peers on one device", peers_max_));
  }
  return {};
}

DevicePlan DeviceShadow::apply(const DeviceChange& change) {
  Edit edit{*this};
  if (change.private_key) edit.set_private_key(*change.private_key);
  if (change.replace_peers) edit.replace_peers(change.peers);
  for (const PeerChange& peer : change.peers) edit.change_peer(peer);
  return edit.finish();
}

std::optional<wg::PeerId> DeviceShadow::id_of(const crypto::PublicKey& key) const noexcept {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? std::nullopt : std::optional{found->second};
}

const DeviceShadow::Peer* DeviceShadow::find(wg::PeerId id) const noexcept {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : &found->second;
}

const DeviceShadow::Peer* DeviceShadow::find(const crypto::PublicKey& key) const noexcept {
  const std::optional<wg::PeerId> id = id_of(key);
  return id ? find(*id) : nullptr;
}

wg::PeerId DeviceShadow::take_slot() {
  if (free_.empty()) return wg::PeerId{slots_++};
  const wg::PeerId id = free_.front();
  free_.pop_front();
  return id;
}

}  // namespace tw::node
