#include "node/device/device_wanted.h"

#include <utility>

namespace tw::node {

WantedDevice wanted_device(const NodeConfig& config, const NamedEndpoints& named) {
  WantedDevice wanted;
  wanted.private_key = config.tunnel.private_key;
  wanted.listen_port = config.tunnel.listen_port;
  wanted.fwmark = config.tunnel.fwmark;
  for (const PeerConfig& peer : config.peers) {
    WantedPeer made;
    made.public_key = peer.public_key;
    made.preshared_key = peer.preshared_key;
    made.endpoint = named.of(peer);
    made.allowed_ips = peer.allowed_ips;
    made.persistent_keepalive_s = peer.persistent_keepalive_s;
    wanted.peers.push_back(std::move(made));
  }
  return wanted;
}

}  // namespace tw::node
