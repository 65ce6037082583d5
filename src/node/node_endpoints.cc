// The part of Node that keeps endpoints behind the host names they were configured by: resolved at
// start and reload, and again when a peer does not answer.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "node/node.h"
#include "node/node_parts.h"

namespace tw::node {
namespace {

/// How long a start waits for name servers. Who is late gets its endpoint when its answer comes.
constexpr std::chrono::seconds start_patience{10};
/// The start waits so long at a time.
constexpr std::chrono::milliseconds start_look{20};

const PeerState* find(const DeviceState& state, const crypto::PublicKey& key) {
  const auto found = std::ranges::find(state.peers, key, &PeerState::public_key);
  return found == state.peers.end() ? nullptr : &*found;
}

PeerChange change_of(const crypto::PublicKey& key) {
  PeerChange change;
  change.public_key = key;
  change.update_only = true;
  return change;
}

}  // namespace

Result<void> Node::start_resolver() {
  Result<std::unique_ptr<EndpointResolver>> resolver = EndpointResolver::start();
  if (!resolver) return std::unexpected(resolver.error());
  resolver_ = std::move(*resolver);
  named_.configure(config_.peers);
  const std::vector<EndpointName> names = named_.names();
  if (names.empty()) return {};
  log::info("resolving the names of {} endpoints, for at most {} s", names.size(),
            start_patience.count());
  for (const EndpointName& name : names) resolver_->ask(name);
  return {};
}

// All else is up by then, and those who can be asked for a session are asked meanwhile.
void Node::await_names() {
  const Instant until = clock_.now() + start_patience;
  bool settled = false;
  while (!settled && clock_.now() < until && !stop_is_asked()) {
    settled = resolver_->settle(start_look);
    take_resolved();
    tend_memory();
  }
  if (!settled && !stop_is_asked()) {
    log::warning("some names are still being resolved: their peers wait, and the node goes on");
  }
}

void Node::ask_for_unanswered() {
  for (const crypto::PublicKey& peer : device_->take_unanswered()) {
    if (const auto name = named_.unanswered(peer)) resolver_->ask(*name);
  }
}

int Node::ask_for_unresolved() {
  const Instant now = clock_.now();
  for (const EndpointName& name : named_.due(now)) resolver_->ask(name);
  const Instant next = named_.next_due();
  if (next == Instant::max()) return -1;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
}

void Node::take_resolved() {
  std::vector<NamedEndpoints::Move> moves;
  for (const ResolvedName& answer : resolver_->take()) {
    const auto more = named_.resolved(answer, clock_.now());
    moves.insert(moves.end(), more.begin(), more.end());
  }
  if (moves.empty()) return;
  if (const Result<void> moved = move_endpoints(moves); !moved) {
    log::error("endpoints: {}", moved.error().text());
  }
}

Result<void> Node::move_endpoints(std::span<const NamedEndpoints::Move> moves) {
  const Result<DeviceState> state = device_->state();
  if (!state) return std::unexpected(state.error());
  DeviceChange moved;
  for (const NamedEndpoints::Move& move : moves) {
    // So that the next reload compares with this.
    const auto wanted = std::ranges::find(wanted_.peers, move.peer, &WantedPeer::public_key);
    if (wanted != wanted_.peers.end()) wanted->endpoint = move.endpoint;
    const PeerState* const is = find(*state, move.peer);
    if (is == nullptr || is->endpoint == move.endpoint) continue;
    PeerChange& change = moved.peers.emplace_back(change_of(move.peer));
    change.endpoint = move.endpoint;
    log::info("peer {}: its endpoint is now {}", name_of(move.peer), move.endpoint.text());
  }
  return moved.peers.empty() ? Result<void>{} : device_->apply(moved);
}

std::string Node::name_of(const crypto::PublicKey& peer) const {
  const auto found = std::ranges::find(config_.peers, peer, &PeerConfig::public_key);
  return found == config_.peers.end() ? crypto::key_to_base64(peer.bytes) : found->name;
}

}  // namespace tw::node
