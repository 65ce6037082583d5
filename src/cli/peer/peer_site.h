// The configuration that `thalweg peer` changes, and the node that runs with it, if one does.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "cli/control/control_path.h"
#include "node/clients/file_changes.h"
#include "node/config/config.h"

namespace tw::cli {

class PeerSite {
 public:
  /// Finds and reads it. `alone`: waits for other commands that change it, and has them wait for
  /// this object's end. What is wrong is an Error, or has been said on stderr.
  static Result<PeerSite> open(const ControlTarget& target, bool alone);

  const node::NodeConfig& config() const noexcept { return config_; }
  const std::string& file() const noexcept { return file_; }
  bool runs() const noexcept { return !socket_.empty(); }
  /// The port that is open; else the one that the file names; 0: any.
  std::uint16_t listen_port() const noexcept { return listen_port_; }
  const std::string& socket() const noexcept { return socket_; }

  /// Has the node take the changes over, or, where none runs, checks the file with them. If they
  /// are refused they are taken back, all of them. Returns what the node changed.
  Result<std::vector<std::string>> take_over(node::FileChanges& changes);
  /// Takes back what was taken over.
  void give_up(node::FileChanges& changes);

 private:
  PeerSite() = default;
  Result<void> find(const ControlTarget& target);
  Result<void> identify(bool must_answer);
  Result<void> lock();

  std::string file_, socket_;
  std::uint16_t listen_port_ = 0;
  UniqueFd lock_;
  node::NodeConfig config_;
};

/// Text of JSON that a node has sent, or a file may hold: never fails.
std::string dumped(const nlohmann::ordered_json& json, int indent = 2);

}  // namespace tw::cli
