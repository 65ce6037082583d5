// The two PoPs of the demonstration as `thalweg run` reads them: one TOML file each, and a private
// key beside it. Text in, text out: nothing here touches the machine.
#pragma once

#include <string>

#include "crypto/secret.h"

namespace tw::lab {

inline constexpr std::uint16_t tunnel_port = 51820;

/// A WireGuard identity made for one run.
struct Identity {
  crypto::PrivateKey private_key;
  std::string public_key;  ///< base64

  static Identity generate();
};

/// What both files are made from. Device names are unique on the machine, because the folder of the
/// cross-platform control sockets does not know namespaces.
struct PopPair {
  Identity client = Identity::generate();
  Identity rc = Identity::generate();
  Identity rs = Identity::generate();
  std::string client_device, rc_device, rs_device;
  std::string folder;  ///< of key files and control sockets: rc.key, rc.sock, rs.key, rs.sock
};

/// R_C: the client's PoP. Relays what goes to the relayed service, routes what goes to the
/// tunnelled one, and refuses everything else.
std::string rc_config(const PopPair& pair);
/// R_S: the server's PoP. Connects onward, for our client alone, to the relayed service alone.
std::string rs_config(const PopPair& pair);

}  // namespace tw::lab
