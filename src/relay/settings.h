// The settings of a relay: listeners, PoPs and their routes, turbo start, limits. Every default of
// the relay is here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "relay/admission/policy.h"
#include "relay/admission/pop_clients.h"
#include "relay/admission/principal.h"
#include "relay/legs/proxy_targets.h"
#include "relay/log/log_format.h"
#include "relay/pacing/resumer.h"
#include "relay/proof/leg_key.h"
#include "wire/address.h"

namespace tw::relay {

/// The proof that a PoP and we ask of each other's legs.
enum class Legs : std::uint8_t {
  authenticated,  ///< proof that they are the PoP's, by its WireGuard identity
  any,            ///< nothing: for the time until all PoPs know how to
};

/// Another PoP, reached inside the tunnel.
struct PopSettings {
  std::string name;
  IpAddress overlay_address;  ///< of its leg listener; also the only source we take its legs from
  /// Targets it carries. The longest prefix over all PoPs wins; of PoPs with the same prefix the
  /// first that can be used.
  std::vector<Prefix> routes;
  Legs legs = Legs::authenticated;
  /// Clients that it may name though they are other peers' (PopClients).
  std::vector<Prefix> clients{};
  /// derive_leg_key() of the pair; none: the tunnel has no private key, or not this peer.
  std::optional<LegKey> key{};
  friend bool operator==(const PopSettings&, const PopSettings&) noexcept = default;
};

/// Turbo start (KTCP, section 4.4), on legs between PoPs only.
struct TurboSettings {
  /// Segments in the first flight, at most: 8,000 x 1,380 bytes are 400 Mbps x 215 ms. With
  /// `pacing` there are as many as the path is known to carry; without it there are so many at
  /// once, and 400 is what 20 Mbps take in one RTT (docs/decisions/0004-turbo-start.md).
  std::uint32_t initcwnd = 8000;
  /// Forced send and receive buffers of a leg: 1 Gbps x 215 ms, twice.
  std::uint32_t socket_buffer_bytes = 64U << 20U;
  std::string congestion_control;  ///< "" = the system's
  /// The first flight is what earlier legs to the same PoP were delivered in a round trip, paced
  /// over one; what follows is the congestion control's.
  bool pacing = true;
  /// The rate of the first leg to a PoP, bits a second: a modest path carries it without a loss.
  std::uint64_t first_rate_bps = 20'000'000;
  friend bool operator==(const TurboSettings&, const TurboSettings&) noexcept = default;
};

/// A faster start towards clients whose path is known (ClientRates).
struct ClientStartSettings {
  bool enabled = false;
  /// Bits a second that the start of one client's connections may use, whatever was remembered.
  std::uint64_t cap_bps = 50'000'000;
  /// Segments of the first flight, at most. A client's first receive window rarely takes more.
  std::uint32_t initcwnd = 64;
  friend bool operator==(const ClientStartSettings&, const ClientStartSettings&) noexcept = default;
};

/// Warm legs (KTCP, section 4.3): connections to a PoP that wait for a target.
struct PoolSettings {
  bool enabled = true;
  /// Idle legs of a PoP: never fewer on purpose, never more. Between them their number follows the
  /// rate at which they are used.
  std::size_t low = 4, high = 64;
  /// An older one is replaced before it is used: paths change, and middleboxes forget.
  Duration max_age = 5min;
  friend bool operator==(const PoolSettings&, const PoolSettings&) noexcept = default;
};

/// Early SYN (KTCP, section 4.1): the onward half begins at the client's SYN. What is over these
/// budgets is not refused: it waits for the client's handshake, as without early SYN.
struct EarlySynSettings {
  bool enabled = true;
  std::uint32_t per_source_rate = 50;   ///< halves begun a second, for one client
  std::uint32_t per_source_burst = 50;  ///< a browser opens dozens at once
  std::uint32_t total_rate = 2000;      ///< a second, all clients together
  std::uint32_t total_burst = 500;
  std::size_t max_unclaimed = 500;  ///< halves whose client has not completed its handshake
  std::size_t max_unclaimed_per_client = 100;  ///< of one client: IPv4 address, or /64
  Duration claim_timeout = 5s;                 ///< until it has: a few RTTs and a retransmission
  friend bool operator==(const EarlySynSettings&, const EarlySynSettings&) noexcept = default;
};

/// When a target that a PoP has a route to is connected to from here all the same.
enum class DirectWay : std::uint8_t {
  never,     ///< a connection that is another PoP's leaves there or not at all
  fallback,  ///< while none of the PoPs with a route can be used
  measured,  ///< then; and where the way from here is shorter than the leg alone (PathChoice)
};

/// One line a connection.
struct LogSettings {
  bool connections = false;
  LogFormat format;
  std::uint32_t sample = 1;  ///< of those that were relayed, one of so many
  std::string file;          ///< empty: the program's log
  friend bool operator==(const LogSettings&, const LogSettings&) noexcept = default;
};

struct RelayLimits {
  /// Each holds two sockets and at most four pipe ends: nine thousand fit 20,000 descriptors only
  /// because pipes are held while bytes are in them.
  std::size_t max_connections = 9000;
  /// The most connections of one client (principal.h), where it enters the overlay. A network
  /// behind one may have hundreds of users; a client gone wild must not have everybody's room.
  std::size_t max_connections_per_client = 2000;
  /// The time for which the bytes of a transfer in small pieces gather; zero: they do not.
  Duration coalesce = 200us;
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
  /// Legs of one other PoP, which may be a hostile one; and never more than most_of_free times the
  /// places that are free, so that several such leave some to the others. Of these, legs that wait
  /// for their target: four times the warm ones that a PoP keeps by default.
  std::size_t max_connections_per_pop = 6000;
  std::size_t max_waiting_legs_per_pop = 256;
  /// Kernel memory that sources of all connections may be promised beyond what any connection has,
  /// for readers that are slower or have paused; and of one client's, where it is half of a leg of
  /// 2 Gbps and 215 ms twice over.
  std::uint64_t buffer_bytes = 192U << 20U;
  std::uint64_t buffer_bytes_per_client = 128U << 20U;
  friend bool operator==(const RelayLimits&, const RelayLimits&) noexcept = default;
};

/// PoPs that one connection may come through: what has a longer way goes round in a circle.
inline constexpr std::uint8_t most_hops = 8;

inline constexpr std::size_t most_of_free = 3;

inline constexpr Duration keepalive_interval = 30s;  ///< between two questions
inline constexpr int keepalive_probes = 5;

/// A leg that another PoP holds ready may wait so long for its target: longer than any pool keeps
/// one (relay.pool.max_age_s is at most an hour).
inline constexpr Duration warm_leg_timeout = 90min;

/// When a tunnel client's connection is accepted.
enum class Accept : std::uint8_t {
  early,     ///< at once: a server that refuses is a reset
  verified,  ///< when its server has accepted it: a server that refuses is a refusal
};

/// The options of a relay as its operator writes them: the keys of [relay]. A node's configuration
/// holds these as they are.
struct RelayOptions {
  std::uint16_t listen_port = 9701;  ///< the transparent listener, behind TPROXY
  std::uint16_t leg_port = 9702;     ///< the same on every PoP of the overlay
  /// Further devices that clients come by (a LAN, say), by names; TPROXY diverts what comes there.
  std::vector<std::string> client_devices;
  DirectWay direct = DirectWay::never;
  /// Carried out by whoever reports SYNs: the relay answers every one that is held.
  Accept accept = Accept::early;
  /// TCP Fast Open: taken from clients, and used towards servers for a client that used it.
  bool fast_open = true;
  /// Servers that are told their clients, by who connects to them.
  std::vector<ProxyTarget> proxy_protocol;
  std::vector<Prefix> local_targets;  ///< addresses of this machine that may be a target after all
  RelayLimits limits;
  TurboSettings turbo;
  ClientStartSettings client_start;
  PoolSettings pool;
  EarlySynSettings early_syn;
  LogSettings log;
};

/// The operator's options, and what a relay must know of the node that it belongs to.
struct RelaySettings : RelayOptions {
  std::string tun_device{};                ///< both ends of a leg are bound to it
  std::vector<IpAddress> leg_addresses{};  ///< our overlay addresses that legs connect to
  /// SO_MARK of listeners and legs, by which the firewall knows them from others'; 0: none.
  std::uint32_t own_mark = 0;
  std::vector<PopSettings> pops{};
  /// The clients that PoPs may name; null: any.
  std::shared_ptr<const PopClients> pop_clients{};
  /// The peers that clients' addresses belong to, all but the PoPs; null: they are nobody's.
  std::shared_ptr<const Principals> principals{};
  Policy policy{};
  /// Opens the windows of legs and of client_start; null: clients start as the system does, legs
  /// as their route says. Must outlive the relay.
  Resumer* resumer = nullptr;
};

}  // namespace tw::relay
