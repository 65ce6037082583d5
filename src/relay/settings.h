// What a relay is told: listeners, PoPs and their routes, turbo start, limits. Every default of the
// relay is here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "relay/policy.h"
#include "wire/address.h"

namespace tw::relay {

/// Another PoP, reached inside the tunnel.
struct PopSettings {
  std::string name;
  IpAddress overlay_address;   ///< of its leg listener; also the only source we take its legs from
  std::vector<Prefix> routes;  ///< targets it carries; the longest prefix over all PoPs wins
  friend bool operator==(const PopSettings&, const PopSettings&) noexcept = default;
};

/// Turbo start (KTCP, section 4.4), on legs between PoPs only.
struct TurboSettings {
  /// Segments in the first flight. 400 x 1,380 bytes = 552 KB is what a 215 ms path of 20 Mbps
  /// carries in one RTT, and a tenth of what one of 200 Mbps does. Until the path's rate is
  /// learned, more would flood a narrower path (docs/decisions/0004-turbo-start.md).
  std::uint32_t initcwnd = 400;
  /// Forced send and receive buffers of a leg: 1 Gbps x 215 ms, twice.
  std::uint32_t socket_buffer_bytes = 64U << 20U;
  std::string congestion_control;  ///< "" = the system's
  friend bool operator==(const TurboSettings&, const TurboSettings&) noexcept = default;
};

struct RelayLimits {
  /// Each holds two sockets and at most four pipe ends: nine thousand fit 20,000 descriptors only
  /// because pipes are held while bytes are in them.
  std::size_t max_connections = 9000;
  /// Of one client address, where it enters the overlay. A network behind one address may have
  /// hundreds of users; a client gone wild must not have everybody's room.
  std::size_t max_connections_per_client = 2000;
  std::size_t pipe_bytes = 256U << 10U;  ///< asked for; the kernel may give less
  Duration connect_timeout = 10s;        ///< onward connection, and a leg's PROXY header
  Duration idle_timeout = 2h;            ///< no byte either way
  Duration half_close_timeout = 1min;    ///< one side has ended, and the other is silent
  /// Silence after which the kernel asks whether the other side still lives (TCP keepalive); it is
  /// taken for dead after keepalive_probes more questions without an answer. Zero: never asks.
  Duration keepalive = 5min;
  /// TCP_USER_TIMEOUT: bytes unacknowledged for so long end the connection. Zero: the system's
  /// (a quarter of an hour), because the kernel counts a reader that has paused as well.
  Duration user_timeout = 0s;
  friend bool operator==(const RelayLimits&, const RelayLimits&) noexcept = default;
};

inline constexpr Duration keepalive_interval = 30s;  ///< between two questions
inline constexpr int keepalive_probes = 5;

struct RelaySettings {
  std::string tun_device;                ///< both ends of a leg are bound to it
  std::vector<IpAddress> leg_addresses;  ///< our overlay addresses that legs connect to
  std::uint16_t listen_port = 0;         ///< the transparent listener, behind TPROXY
  std::uint16_t leg_port = 0;            ///< the same on every PoP of the overlay
  std::vector<PopSettings> pops;
  Policy policy;
  std::vector<Prefix> local_targets;  ///< addresses of this machine that may be a target after all
  TurboSettings turbo;
  RelayLimits limits;
};

}  // namespace tw::relay
