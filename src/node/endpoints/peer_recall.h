// Writes down where recent peers are while a node runs, and asks those of the node before it for a
// new session at the start, so that none of them waits until it asks by itself
// (remembered_peers.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "node/config/config.h"
#include "node/endpoints/remembered_peers.h"

namespace tw::node {

/// Belongs to one thread. Never fails: a peer that is not remembered asks by itself.
class PeerRecall {
 public:
  using Peers = std::span<const RememberedPeer>;
  /// The device, as far as it is asked for its peers (tunnel_device.h: greet, recent_peers).
  struct Device {
    std::function<void(Peers)> greet;
    std::function<std::vector<RememberedPeer>(Peers before)> recent_peers;
    /// Returns a number that rises whenever peers are changed or packets received; from 1.
    std::function<std::uint64_t()> traffic;
  };

  /// `clock` must outlive this.
  PeerRecall(Device device, const Clock& clock);

  /// Reads the peers of the node before, and begins to ask those that are configured. Failures are
  /// logged; without a memory nothing is read or written.
  void recall(Result<PeerMemory> memory, const NodeConfig& config);
  /// Does what is due, with `wanted` as `remember_peers` of the configuration has it now: a file
  /// that is not wanted is removed. Returns in how many milliseconds something is due again.
  int tend(bool wanted);
  /// Writes down where peers are now, if any packet has come since the last time.
  void remember(bool wanted);

 private:
  void greet_some();

  const Device device_;
  const Clock& clock_;
  std::optional<PeerMemory> memory_;
  std::vector<RememberedPeer> recalled_;  // at the start, until their sessions would have ended
  std::size_t greeted_ = 0;               // the first of them, who spoke last
  Instant greet_at_, remember_at_;
  std::uint64_t remembered_traffic_ = 0;  // of the device, when its peers were last written down
  bool logged_failure_ = false;
};

}  // namespace tw::node
