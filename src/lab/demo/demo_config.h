// Two PoPs as `thalweg run` reads them: one TOML file each, and a private key beside it. Several
// pairs can stand on the same hosts. Text in, text out: nothing here touches the machine.
#pragma once

#include <cstdint>
#include <string>

#include "crypto/secret.h"
#include "lab/bed/topology.h"

namespace tw::lab {

/// A WireGuard identity made for one run.
struct Identity {
  crypto::PrivateKey private_key;
  std::string public_key;  ///< base64

  static Identity generate();
};

/// One overlay of a client and two PoPs: what it carries, and how. The default is the
/// demonstration's.
struct OverlayShape {
  std::uint16_t nth = 0;  ///< of those on the hosts: ports, addresses and names follow from it
  std::string relayed = address::service_relayed;      ///< goes through both relays; "": nothing
  std::string tunnelled = address::service_tunnelled;  ///< is routed by R_C; "": nothing
  bool onward_tunnel = false;        ///< routed packets take the tunnel between the PoPs as well
  std::string relay_switches{};      ///< further lines and tables of [relay], of both PoPs
  std::string congestion = "cubic";  ///< of the client's routes
  std::string pop_congestion{};      ///< of R_C towards the client; "": the system's

  std::string client() const;  ///< overlay addresses
  std::string rc() const;
  std::string rs() const;
  std::uint16_t tunnel_port() const noexcept;
  std::uint16_t listen_port() const noexcept;  ///< of the transparent listener
  std::uint16_t leg_port() const noexcept;
};

/// The input of both files. Device names are unique on the machine, because the folder of the
/// cross-platform control sockets does not know namespaces.
struct PopPair {
  OverlayShape shape{};
  Identity client = Identity::generate();
  Identity rc = Identity::generate();
  Identity rs = Identity::generate();
  std::string client_device, rc_device, rs_device;
  std::string folder;  ///< of key files and control sockets: rc0.key, rc0.sock, rs0.key, …

  std::string rc_name() const;  ///< "rc0": of R_C's files
  std::string rs_name() const;
};

/// R_C: the client's PoP. Relays what goes to the relayed service, routes what goes to the
/// tunnelled one, and refuses everything else.
std::string rc_config(const PopPair& pair);
/// R_S: the server's PoP. Connects onward, for our client alone, to the relayed service alone; it
/// routes what takes the tunnel between the PoPs, and nothing else.
std::string rs_config(const PopPair& pair);

}  // namespace tw::lab
