#include "node/endpoints/named_endpoints.h"

#include <algorithm>
#include <utility>

namespace tw::node {
namespace {

std::string text_of(const EndpointName& name) {
  return name.host + ' ' + std::to_string(name.port);
}

std::optional<Endpoint> number_of(const EndpointName& name) {
  const auto address = IpAddress::parse(name.host);
  if (!address) return std::nullopt;
  return Endpoint{*address, name.port, 0};
}

}  // namespace

void NamedEndpoints::configure(const std::vector<PeerConfig>& peers) {
  peers_.clear();
  std::unordered_map<std::string, Endpoint> kept;
  for (const PeerConfig& peer : peers) {
    if (!peer.endpoint || number_of(*peer.endpoint)) continue;
    peers_.emplace(peer.public_key, NamedPeer{*peer.endpoint});
    const std::string name = text_of(*peer.endpoint);
    if (const auto found = known_.find(name); found != known_.end()) kept.insert(*found);
  }
  known_ = std::move(kept);
  unknown_.clear();  // a reload asks for every name
}

std::vector<EndpointName> NamedEndpoints::names() const {
  std::vector<EndpointName> names;
  std::unordered_set<std::string> seen;
  for (const auto& [key, peer] : peers_) {
    if (seen.insert(text_of(peer.name)).second) names.push_back(peer.name);
  }
  return names;
}

std::optional<Endpoint> NamedEndpoints::of(const PeerConfig& peer) const {
  if (!peer.endpoint) return std::nullopt;
  if (const auto number = number_of(*peer.endpoint)) return number;
  const auto found = known_.find(text_of(*peer.endpoint));
  if (found == known_.end()) return std::nullopt;
  return found->second;
}

std::optional<EndpointName> NamedEndpoints::unanswered(const crypto::PublicKey& peer) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return std::nullopt;
  found->second.answers = false;
  return found->second.name;
}

std::vector<NamedEndpoints::Move> NamedEndpoints::resolved(const ResolvedName& answer,
                                                           Instant now) {
  std::vector<Move> moves;
  const std::string name = text_of(answer.name);
  const auto before = known_.find(name);
  const bool changed =
      answer.endpoint && (before == known_.end() || before->second != *answer.endpoint);
  bool is_used = false;
  for (auto& [key, peer] : peers_) {
    if (peer.name != answer.name) continue;
    is_used = true;
    const bool answers = std::exchange(peer.answers, true);
    if (answer.endpoint && (changed || !answers)) {
      moves.push_back({key, *answer.endpoint});
    }
  }
  if (is_used && answer.endpoint) known_[name] = *answer.endpoint;
  if (known_.contains(name) || !is_used) {
    unknown_.erase(name);
  } else {
    const auto [wait, is_first] = unknown_.try_emplace(name, Wait{.name = answer.name});
    if (!is_first) wait->second.length = std::min(longest_wait, wait->second.length * 2);
    wait->second.end = now + wait->second.length;
  }
  return moves;
}

std::vector<EndpointName> NamedEndpoints::due(Instant now) {
  std::vector<EndpointName> names;
  for (auto& [text, wait] : unknown_) {
    if (wait.end > now) continue;
    wait.end = Instant::max();
    names.push_back(wait.name);
  }
  return names;
}

Instant NamedEndpoints::next_due() const noexcept {
  Instant next = Instant::max();
  for (const auto& [text, wait] : unknown_) next = std::min(next, wait.end);
  return next;
}

}  // namespace tw::node
