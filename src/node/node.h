// The PoP put together: device, network, relay, control socket, metrics, from one configuration.
//
// What needs root is opened first, then privileges are dropped, and only then do threads start.
// This class starts the parts, gives each its turn on the control thread, and takes them down; how
// they follow a changed configuration is running_config.h.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "node/config/config.h"
#include "node/confine/confine.h"
#include "node/confine/file_broker.h"
#include "node/control/control_answers.h"
#include "node/control/control_server.h"
#include "node/device/applied_device.h"
#include "node/endpoints/endpoint_names.h"
#include "node/endpoints/peer_recall.h"
#include "node/links/links.h"
#include "node/links/machine_watch.h"
#include "node/relaying/relay_service.h"
#include "node/report/metrics.h"
#include "node/report/status.h"
#include "node/running_config.h"
#include "node/tunnel/tunnel_device.h"
#include "node/uapi/uapi_server.h"

namespace tw::node {

/// The time that SIGTERM gives relayed connections to end by themselves before it resets them. A
/// second one does not wait. It is well inside the 90 s that service supervisors give.
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
  /// Any thread.
  NodeStatus status();

 private:
  explicit Node(const std::string& config_path);
  Result<void> open(NodeConfig config, std::string config_path, FileBroker& files);
  Result<void> open_sockets(const NodeConfig& config);
  Result<void> open_device(const NodeConfig& config);
  Result<void> give_up_power(const NodeConfig& config);
  Result<void> start_parts(NodeConfig config, std::string config_path);
  Result<void> start_links(const NodeConfig& config);
  Result<void> start_tunnel(const NodeConfig& config);
  PeerRecall::Device recalled_device();

  const NodeConfig& config() const noexcept { return running_->config(); }
  Result<void> serve_requests();
  bool handle_signal(int signal);
  void attend_machine();
  void attend_uapi();
  void take_resolved();
  int tend_recall();
  NodeIdentity identity();
  std::string answer(std::string_view request);
  void drain(int signal_fd);

  const std::string config_file_;  // from the root on: for others than this process
  SystemClock clock_;
  const Instant started_;
  Confinement confinement_;
  // Excludes the control thread, which changes what a status is made of, from the metrics thread.
  std::mutex mutex_;
  // Destroyed from the last to the first: whoever uses a part goes before it.
  std::unique_ptr<EndpointNames> names_;
  std::unique_ptr<Device> device_;
  std::optional<AppliedDevice> applied_;
  std::optional<PeerRecall> recall_;
  std::optional<Links> links_;
  std::optional<MachineWatch> machine_;
  std::unique_ptr<RelayService> relay_;
  std::optional<RunningConfig> running_;  // once all before it are up
  std::unique_ptr<UapiServer> uapi_;
  std::unique_ptr<ControlServer> control_;
  HttpCounters scrapes_;
  std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace tw::node
