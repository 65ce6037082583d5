#include "node/device/device_wanted.h"

#include <netdb.h>

#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "wire/sockaddr.h"

namespace tw::node {
namespace {

std::optional<Endpoint> resolve(const std::string& peer, const EndpointName& name) {
  if (const auto address = IpAddress::parse(name.host)) return Endpoint{*address, name.port, 0};
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
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

}  // namespace

WantedDevice wanted_device(const NodeConfig& config) {
  WantedDevice wanted;
  wanted.private_key = config.tunnel.private_key;
  wanted.listen_port = config.tunnel.listen_port;
  wanted.fwmark = config.tunnel.fwmark;
  for (const PeerConfig& peer : config.peers) {
    WantedPeer made;
    made.public_key = peer.public_key;
    made.preshared_key = peer.preshared_key;
    if (peer.endpoint) made.endpoint = resolve(peer.name, *peer.endpoint);
    made.allowed_ips = peer.allowed_ips;
    made.persistent_keepalive_s = peer.persistent_keepalive_s;
    wanted.peers.push_back(std::move(made));
  }
  return wanted;
}

}  // namespace tw::node
