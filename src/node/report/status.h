// Everything a node can say of itself at one moment, as plain values: `thalweg status`, its JSON
// and the Prometheus text are three faces of this one record. Counters are copies of the parts'
// own; describe_status.h names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "lane/counters.h"
#include "machine/firewall/firewall.h"
#include "node/confine/confine.h"
#include "node/device/device_tuning.h"
#include "node/http/http_connection.h"
#include "node/relaying/syn_watches.h"
#include "relay/snapshot.h"

namespace tw::node {

struct WorkerStatus {
  std::string name;
  lane::LaneCounters counters;
};

/// The result of one cipher engine's trial at the start.
struct CipherStatus {
  std::string name;
  std::int64_t ns_per_packet = 0;  ///< of 1,420 bytes; 0 if refused
  std::string refused;             ///< why; empty if it was not
};

struct PeerStatus {
  std::string name;  ///< of the configuration, else the public key's first characters
  std::string public_key;
  std::string endpoint;  ///< empty: unknown
  std::vector<std::string> allowed_ips;
  std::int64_t last_handshake_s = 0;  ///< Unix time; 0: never
  std::uint64_t received_bytes = 0, sent_bytes = 0;
};

/// The fate of reloads, and the age of what is in force.
struct ReloadStatus {
  bool succeeded = true;              ///< the last one; true: there was none
  std::int64_t in_force_since_s = 0;  ///< Unix time of the last that did, or of the start
};

struct NodeStatus {
  std::string version;
  std::string interface;
  std::string public_key;
  std::uint16_t listen_port = 0;
  std::string cipher_engine;
  std::int64_t cipher_ns_per_packet = 0;  ///< of 1,420 bytes, as timed at the start
  std::vector<CipherStatus> ciphers;      ///< all that this build knows
  TuningInEffect tuning;
  std::int64_t uptime_s = 0;
  ReloadStatus reloads;
  std::uint64_t lost_log_lines = 0;  ///< that found no room
  Confinement confinement;           ///< the powers that the process has given up
  std::uint64_t refused_calls = 0;   ///< system calls that it made and that are not on its list
  std::vector<WorkerStatus> workers;
  lane::HandshakeCounters handshakes;
  std::uint64_t kernel_drops_udp = 0;   ///< SO_RXQ_OVFL: datagrams the socket had no room for
  std::uint64_t kernel_drops_tun = 0;   ///< the TUN's tx_dropped: packets its queue had no room for
  std::vector<FirewallCount> firewall;  ///< packets that it refused since it was made
  std::vector<PeerStatus> peers;
  std::optional<relay::RelaySnapshot> relay;  ///< empty: no relay configured
  std::vector<SynWatchStatus> syn_watches;    ///< of its client devices; those that are watched
  std::optional<HttpCounters> scrapes;        ///< of the metrics port; empty: there is none
};

/// Returns one JSON object in one line. Its keys are those that describe_status.h names.
std::string to_json(const NodeStatus& status);

}  // namespace tw::node
