// The PoP put together: device, network, relay, control socket, metrics, from one configuration.
//
// What needs root is opened first, then privileges are dropped, and only then do threads start. A
// reload is validated whole and diffed: peers and connections that did not change do not notice it.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exec/worker.h"
#include "node/config/config.h"
#include "node/confine/confine.h"
#include "node/confine/file_broker.h"
#include "node/control/control_server.h"
#include "node/control/reload_report.h"
#include "node/device/device_diff.h"
#include "node/endpoints/endpoint_resolver.h"
#include "node/endpoints/named_endpoints.h"
#include "node/links/links.h"
#include "node/relaying/leg_keys.h"
#include "node/relaying/syn_watches.h"
#include "node/relaying/tunnel_syns.h"
#include "node/relaying/window_opener.h"
#include "node/report/metrics.h"
#include "node/report/status.h"
#include "node/tunnel/tunnel_device.h"
#include "node/uapi/uapi_server.h"
#include "relay/relay.h"

namespace tw::node {

/// How long SIGTERM waits for relayed connections to end by themselves before it resets them. A
/// second one does not wait. Well inside the 90 s that service supervisors give.
inline constexpr std::chrono::seconds drain_timeout{10};

class Node {
 public:
  /// Brings everything up, or nothing. `config_path` is read again at a reload, by `files`, which
  /// outlives the node, wherever the node itself may not any more. Null if SIGTERM or SIGINT has
  /// come meanwhile: what there was of it is undone.
  static Result<std::unique_ptr<Node>> start(NodeConfig config, std::string config_path,
                                             FileBroker& files);
  /// Takes everything down; what relayed connections are left is reset.
  ~Node();

  /// Serves control, UAPI and signals on the calling thread until SIGTERM or SIGINT (0), or until
  /// somebody removes the interface (an error). SIGHUP reloads. Blocks those signals itself.
  Result<void> serve();

  /// Reads the file again. On mistakes (logged) or failure the old configuration stays in force.
  /// `dry_run`: only says what there would be to change; whether ports are free is not tried.
  ReloadReport reload(bool dry_run);
  /// Any thread.
  NodeStatus status();

 private:
  Node(NodeConfig config, std::string config_path);
  Result<void> open(FileBroker& files);
  Result<void> give_up_power();
  Result<void> open_sockets();
  Result<void> start_parts();
  Result<void> start_relay();
  Result<void> start_relay_parts();
  void stop_relay() noexcept;
  Result<void> tell_relay(const NodeConfig& config, std::vector<relay::OpenDoor> doors = {});
  relay::RelaySettings door_settings(const NodeConfig& config) const;
  relay::RelaySettings wanted_relay(const NodeConfig& config);
  void follow_leg_keys();
  std::vector<relay::SynSource*> syn_sources() const;
  void recall_peers();
  void greet_some();
  void remember_peers();
  int tend_memory();
  Result<void> serve_requests();
  Result<void> start_resolver();
  void await_names();
  void ask_for_unanswered();
  /// Asks for names that have no address yet, when it is their turn; returns in how many
  /// milliseconds the next one has its turn, or -1.
  int ask_for_unresolved();
  void take_resolved();
  Result<void> move_endpoints(std::span<const NamedEndpoints::Move> moves);
  std::string name_of(const crypto::PublicKey& peer) const;
  Result<void> apply_device(WantedDevice wanted);
  Result<void> apply_relay(const NodeConfig& next, std::vector<relay::OpenDoor> doors = {});
  Result<std::vector<relay::OpenDoor>> open_next_doors(const NodeConfig& next);
  Result<void> end_refused_flows();
  Result<void> reload_into(ReloadReport& report);
  Result<void> apply(NodeConfig next);
  bool handle_signal(int signal);
  void attend_machine();
  void follow_client_devices();
  void follow_tunnel();
  void report_foreign();
  int foreign_wait_ms() const noexcept;
  void drain(int signal_fd);
  std::uint64_t active_connections();
  std::string identity();
  std::string answer(std::string_view request);
  Result<void> set(std::string_view key, std::string_view value);
  Result<std::uint64_t> drain_relay();

  // Destroyed from the last to the first: whoever uses a part goes before it.
  std::mutex mutex_;  // config_ and relay_: status is asked for from the metrics thread
  NodeConfig config_;
  WantedDevice wanted_;                 // what the device was last told
  NamedEndpoints named_;                // of config_: what its host names stand for
  std::uint64_t followed_changes_ = 0;  // of the device, that the firewall knows
  std::uint64_t foreign_packets_ = 0;   // that are said already
  std::optional<Instant> foreign_looked_, foreign_said_;
  std::vector<unsigned> client_device_indexes_;  // when doors were last looked at; 0: away
  bool drained_ = false;                         // the relay, by hand: until the file is read again
  std::vector<std::string> set_by_hand_;         // keys, likewise
  ReloadStatus reloads_;
  struct Ended {
    std::uint64_t connections = 0, flows = 0;
  } ended_;  // by the reload that is under way, or by the last
  const std::string config_path_;
  const std::string config_file_;  // the same, from the root on: for others than this process
  SystemClock clock_;
  Instant started_;
  Confinement confinement_;
  std::optional<PeerMemory> memory_;
  std::vector<RememberedPeer> recalled_;  // at the start, until their sessions would have ended
  std::size_t greeted_ = 0;               // the first of them, who spoke last
  Instant greet_at_, remember_at_;
  std::uint64_t remembered_traffic_ = 0;  // of the device, when its peers were last written down
  bool told_of_memory_ = false;           // that it cannot be written
  std::unique_ptr<EndpointResolver> resolver_;
  std::unique_ptr<Device> device_;
  std::optional<Links> links_;
  std::unique_ptr<TunnelSyns> tunnel_syns_;  // between the device and the relay
  SynWatches syn_watches_;
  WindowOpener window_opener_;
  LegIdentities leg_identities_;         // that the relay has the keys of
  std::vector<relay::OpenDoor> doors_;   // of the relay, before it is there
  std::unique_ptr<relay::Relay> relay_;  // once there, to the end: it keeps its ports from others
  std::unique_ptr<Worker> relay_worker_;
  std::unique_ptr<UapiServer> uapi_;
  std::unique_ptr<ControlServer> control_;
  HttpCounters scrapes_;
  std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace tw::node
