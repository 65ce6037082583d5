// A node as its TOML file describes it: validated values, no text left to parse. Every default of a
// node is here or in relay/settings.h. From any source a configuration is diffed, validated,
// applied.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "crypto/secret.h"
#include "node/device/device_tuning.h"
#include "relay/settings.h"
#include "wire/address.h"

namespace tw::node {

inline constexpr std::uint16_t default_mtu =
    1420;  ///< 1,500 − 80: IPv6 underlay, as wg-quick has it

/// Host and port as written; a host name is resolved when the configuration is applied.
struct EndpointName {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const EndpointName&, const EndpointName&) noexcept = default;
};

/// [tunnel]
struct TunnelConfig {
  std::string interface;
  crypto::PrivateKey private_key;  ///< read from private_key_file, whose mode must exclude others
  std::uint16_t listen_port = 0;   ///< 0: any
  std::vector<InterfaceAddress> addresses;
  std::uint16_t mtu = default_mtu;
  std::uint32_t fwmark = 0;                     ///< 0: none
  std::vector<std::string> include;             ///< files with further peers, as written
  std::optional<EndpointName> public_endpoint;  ///< where clients reach this node
  bool install_routes = true;             ///< a route to each peer's allowed IPs, as wg-quick does
  std::uint32_t tx_queue_packets = 4096;  ///< TUN queue: a turbo-started flight must fit
  DeviceTuning tuning;
};

/// [[peer]]
struct PeerConfig {
  std::string name;  ///< for logs, status and pops; unique
  crypto::PublicKey public_key;
  crypto::PresharedKey preshared_key;  ///< from preshared_key_file; all zero: none
  std::optional<EndpointName> endpoint;
  std::vector<Prefix> allowed_ips;
  std::uint16_t persistent_keepalive_s = 0;  ///< 0: off
};

/// [gateway]
struct GatewayConfig {
  bool forward = false;  ///< turn on IP forwarding
  /// If we turn it on: also for what neither comes from nor goes to the tunnel or client devices.
  bool forward_others = false;
  std::vector<Prefix> masquerade;  ///< inner sources rewritten to ours when they leave elsewhere
  bool clamp_mss = true;           ///< TCP MSS of what is routed through the tunnel to its MTU
  /// Connections of a peer that the kernel tracks at a time, routed and relayed; 0: no bound.
  std::uint32_t flows_per_peer = 4096;
  bool notrack = false;  ///< datagrams of the tunnel itself are not tracked
};

/// The treatment of HTTP/3, which would go past the relay.
enum class Quic : std::uint8_t {
  route,   ///< as any other UDP
  reject,  ///< by ICMP where the same over TCP would be relayed: browsers then use TCP
};

/// [relay]: the relay's own options, and two keys that are the node's to carry out.
struct RelayConfig : relay::RelayOptions {
  bool enabled = false;
  Quic quic = Quic::route;
};

/// [[pop]]
struct PopConfig {
  std::string peer;  ///< name of the [[peer]]
  relay::PopSettings pop;
};

/// [node]
struct ProcessConfig {
  std::string control_socket;  ///< default /run/thalweg/INTERFACE.sock
  log::Level log_level = log::Level::info;
  std::string log_file;             ///< empty: stderr only
  std::optional<Endpoint> metrics;  ///< Prometheus text; a loopback address; empty: off
  bool remember_peers = true;       ///< where they were, in a file, over a restart
};

struct NodeConfig {
  ProcessConfig process;
  TunnelConfig tunnel;
  DeviceWorkers workers;
  std::vector<PeerConfig> peers;
  GatewayConfig gateway;
  RelayConfig relay;
  std::vector<PopConfig> pops;
  std::vector<relay::PolicyRule> policy;
};

/// One mistake in a file, for a person.
struct ConfigMistake {
  std::string file;
  std::uint32_t line = 0, column = 0;  ///< from 1; 0: the file as a whole
  std::string key;                     ///< "peer[2].endpoint"
  std::string what;                    ///< the mistake
  std::string mend;                    ///< the remedy
  /// "rc.toml:12:3: peer[2].endpoint: … — …"
  std::string text() const;
};

/// Reads and validates a file, those it includes, and the key files they name. Either a
/// configuration without a mistake, or every mistake that was found. Reads files; changes nothing.
std::expected<NodeConfig, std::vector<ConfigMistake>> load_config(const std::string& path);
/// The same for text that is already here; `path` names it in mistakes, and the files that it names
/// are relative to its folder. What load_config and the fuzz target share.
std::expected<NodeConfig, std::vector<ConfigMistake>> parse_config(std::string_view text,
                                                                   const std::string& path);

}  // namespace tw::node
