// A client's file: what wg-quick, NetworkManager and the apps of WireGuard import.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/secret.h"
#include "node/config/config.h"
#include "wire/address.h"

namespace tw::node {

struct ClientConf {
  std::string name;
  const crypto::PrivateKey* private_key = nullptr;  ///< null: the client has it, and fills it in
  std::vector<IpAddress> addresses;                 ///< in the tunnel
  std::vector<IpAddress> dns;
  std::uint16_t mtu = default_mtu;  ///< the default is not written: clients find it
  crypto::PublicKey server;
  EndpointName endpoint;       ///< of the server
  std::vector<Prefix> routes;  ///< what goes into the tunnel
};

/// Returns the file. It holds the private key: the caller wipes it. No copy of it is left behind.
std::string client_conf_text(const ClientConf& conf);

/// "vpn.example.net:51820", "[2001:db8::1]:51820".
std::string endpoint_name_text(const EndpointName& endpoint);

}  // namespace tw::node
