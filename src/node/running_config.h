// The configuration in force, and the steps from it to the next: from the file (a reload), or by
// one key (`thalweg set`). A reload is validated whole and diffed: peers and connections that did
// not change do not notice it.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node/config/config.h"
#include "node/control/reload_report.h"
#include "node/device/applied_device.h"
#include "node/endpoints/endpoint_names.h"
#include "node/links/links.h"
#include "node/relaying/relay_service.h"
#include "node/report/status.h"
#include "node/tunnel/tunnel_device.h"

namespace tw::node {

/// Ends the established flows that the policy in force refuses, and logs how many. The firewall
/// lets through what is established, under whatever policy that began.
Result<std::size_t> end_refused_flows(Links& links);

/// Belongs to the control thread. Takes `lock` while it changes anything that a status is made of.
class RunningConfig {
 public:
  /// The parts that a configuration is about. All outlive this.
  struct Parts {
    Device& device;
    AppliedDevice& applied;
    EndpointNames& names;
    Links& links;
    RelayService& relay;
  };

  /// `config` is in force already, and came from the file `path`.
  RunningConfig(NodeConfig config, std::string path, Parts parts, std::mutex& lock);

  /// Other threads take the lock to read it.
  const NodeConfig& config() const noexcept { return config_; }
  const ReloadStatus& reloads() const noexcept { return reloads_; }

  /// Reads the file again. On mistakes (logged) or failure the old configuration stays in force.
  /// `dry_run`: only says what there would be to change; whether ports are free is not tried.
  ReloadReport reload(bool dry_run);
  /// Changes a key that a person may change by hand, until the file is read again. On failure
  /// nothing is changed.
  Result<void> set(std::string_view key, std::string_view value);

 private:
  Result<void> reload_into(ReloadReport& report);
  Result<void> apply(NodeConfig next, ReloadReport& report);
  Result<void> apply_tunnel(const NodeConfig& next);

  NodeConfig config_;
  const std::string path_;
  const Parts parts_;
  std::mutex& lock_;
  std::vector<std::string> set_by_hand_;  // keys, until the file is read again
  ReloadStatus reloads_;
};

}  // namespace tw::node
