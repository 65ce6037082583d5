// From a line of the control socket to the line that answers it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "node/control/reload_report.h"
#include "node/report/status.h"

namespace tw::node {

/// The names by which other programs find a node's parts.
struct NodeIdentity {
  std::string config_file;  ///< from the root on
  std::string interface;
  std::uint16_t listen_port = 0;
};

/// The parts of a node that the control socket's commands reach.
struct ControlCommands {
  std::function<NodeStatus()> status;
  std::function<ReloadReport(bool dry_run)> reload;
  std::function<Result<void>(std::string_view key, std::string_view value)> set;
  std::function<NodeIdentity()> identify;
  /// Returns how many connections are left.
  std::function<Result<std::uint64_t>()> drain;
};

/// Does as `request` says. Returns one line of JSON; what is wrong with a request, and the error of
/// a command, are in its "error".
std::string answer_control(std::string_view request, const ControlCommands& commands);

}  // namespace tw::node
