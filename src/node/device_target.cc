#include "node/device_target.h"

#include <netdb.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "wire/sockaddr.h"

namespace tw::node {
namespace {

std::optional<Endpoint> resolve(const std::string& peer, const EndpointName& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  if (const auto address = IpAddress::parse(name.host)) return Endpoint{*address, name.port, 0};
  addrinfo* found = nullptr;
  const std::string port = std::to_string(name.port);
  const int failed = ::getaddrinfo(name.host.c_str(), port.c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
  if (failed != 0) {
    log::warning("peer {}: endpoint {} does not resolve: {}", peer, name.host,
                 ::gai_strerror(failed));
    return std::nullopt;
  }
  return from_sockaddr(found->ai_addr, found->ai_addrlen);
}

/// All of it if `now` is null.
PeerChange peer_change(const PeerConfig& next, const PeerConfig* now) {
  PeerChange change;
  change.public_key = next.public_key;
  if (now == nullptr || !(next.preshared_key == now->preshared_key)) {
    change.preshared_key = next.preshared_key;
  }
  if (next.endpoint && (now == nullptr || next.endpoint != now->endpoint)) {
    change.endpoint = resolve(next.name, *next.endpoint);
  }
  if (now == nullptr || next.persistent_keepalive_s != now->persistent_keepalive_s) {
    change.persistent_keepalive_s = next.persistent_keepalive_s;
  }
  const std::set<Prefix> wanted{next.allowed_ips.begin(), next.allowed_ips.end()};
  std::set<Prefix> present;
  if (now != nullptr) present.insert(now->allowed_ips.begin(), now->allowed_ips.end());
  for (const Prefix& prefix : present) {
    if (!wanted.contains(prefix)) change.allowed_ips.push_back({prefix, true});
  }
  for (const Prefix& prefix : wanted) {
    if (!present.contains(prefix)) change.allowed_ips.push_back({prefix, false});
  }
  return change;
}

bool says_nothing(const PeerChange& change) noexcept {
  return !change.remove && !change.preshared_key && !change.endpoint &&
         !change.persistent_keepalive_s && change.allowed_ips.empty();
}

}  // namespace

DeviceChange change_to(const NodeConfig& next, const NodeConfig* now) {
  DeviceChange change;
  if (now == nullptr || !(next.tunnel.private_key == now->tunnel.private_key)) {
    change.private_key = next.tunnel.private_key;
  }
  if (now == nullptr || next.tunnel.listen_port != now->tunnel.listen_port) {
    change.listen_port = next.tunnel.listen_port;
  }
  if (now == nullptr || next.tunnel.fwmark != now->tunnel.fwmark) {
    change.fwmark = next.tunnel.fwmark;
  }
  std::unordered_map<crypto::PublicKey, const PeerConfig*> present;
  if (now != nullptr) {
    for (const PeerConfig& peer : now->peers) present.emplace(peer.public_key, &peer);
  }
  for (const PeerConfig& peer : next.peers) {
    const auto same = present.find(peer.public_key);
    PeerChange made = peer_change(peer, same == present.end() ? nullptr : same->second);
    if (same == present.end() || !says_nothing(made)) change.peers.push_back(std::move(made));
    if (same != present.end()) present.erase(same);
  }
  for (const auto& [key, peer] : present) {
    PeerChange gone;
    gone.public_key = key;
    gone.remove = true;
    change.peers.push_back(std::move(gone));
  }
  return change;
}

}  // namespace tw::node
