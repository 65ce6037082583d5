#include "node/device/applied_device.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"

namespace tw::node {
namespace {

const PeerState* find(const DeviceState& state, const crypto::PublicKey& key) {
  const auto found = std::ranges::find(state.peers, key, &PeerState::public_key);
  return found == state.peers.end() ? nullptr : &*found;
}

std::string name_of(const crypto::PublicKey& peer, std::span<const PeerConfig> peers) {
  const auto found = std::ranges::find(peers, peer, &PeerConfig::public_key);
  return found == peers.end() ? crypto::key_to_base64(peer.bytes) : found->name;
}

}  // namespace

Result<void> AppliedDevice::apply(WantedDevice wanted) {
  const Result<DeviceState> state = device_.state();
  if (!state) return std::unexpected(state.error());
  if (Result<void> applied = device_.apply(difference(*state, wanted_, wanted)); !applied) {
    return applied;
  }
  wanted_ = std::move(wanted);
  return {};
}

Result<void> AppliedDevice::move(std::span<const NamedEndpoints::Move> moves,
                                 std::span<const PeerConfig> peers) {
  const Result<DeviceState> state = device_.state();
  if (!state) return std::unexpected(state.error());
  DeviceChange moved;
  for (const NamedEndpoints::Move& move : moves) {
    // So that the next reload compares with this.
    const auto wanted = std::ranges::find(wanted_.peers, move.peer, &WantedPeer::public_key);
    if (wanted != wanted_.peers.end()) wanted->endpoint = move.endpoint;
    const PeerState* const is = find(*state, move.peer);
    if (is == nullptr || is->endpoint == move.endpoint) continue;
    PeerChange& change = moved.peers.emplace_back();
    change.public_key = move.peer;
    change.update_only = true;
    change.endpoint = move.endpoint;
    log::info("peer {}: its endpoint is now {}", name_of(move.peer, peers), move.endpoint.text());
  }
  return moved.peers.empty() ? Result<void>{} : device_.apply(moved);
}

}  // namespace tw::node
