// The relay of a node: its listening sockets, its worker, the SYNs that it is told of, and the keys
// of its legs, brought from one configuration to the next.
//
// Once a relay has been started it stays to the node's end, though a reload may switch it off: it
// refuses then, and keeps its ports from other users of the machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "exec/worker.h"
#include "node/config/config.h"
#include "node/relaying/leg_keys.h"
#include "node/relaying/syn_watches.h"
#include "node/relaying/tunnel_syns.h"
#include "node/relaying/window_opener.h"
#include "node/tunnel/tunnel_device.h"
#include "relay/relay.h"

namespace tw::node {

/// One call at a time: the node's lock excludes the control thread's from those for a status.
class RelayService {
 public:
  using Doors = std::vector<relay::OpenDoor>;

  /// `own_mark` is the SO_MARK of the relay's sockets, by which the firewall knows them. `device`
  /// and `clock` must outlive the service.
  RelayService(Device& device, const Clock& clock, std::uint32_t own_mark);
  /// Resets the connections that are left, and lets go of the device.
  ~RelayService();
  RelayService(const RelayService&) = delete;
  RelayService& operator=(const RelayService&) = delete;

  /// Does all that needs privileges: loads the kernel's part and, if `config` wants a relay, opens
  /// its listening sockets. Whoever connects waits until start(). Fails if a port is taken.
  Result<void> prepare(const NodeConfig& config);
  /// Returns true if the kernel's part opens the windows of legs, which need no route for it then.
  bool opens_leg_windows() const noexcept { return window_opener_.is_ready(); }
  /// Starts the relay of `config`, which wants one. On failure there is no relay.
  Result<void> start(const NodeConfig& config);

  /// Opens the listening sockets that `next` wants and that are not open yet: before anything else
  /// is changed, so that a port that somebody else has leaves all as it was.
  Result<Doors> open_doors(const NodeConfig& next);
  /// Brings the relay to `next`; starts one if there was none. Ends a drain.
  Result<void> apply(const NodeConfig& next, Doors doors = {});
  /// Follows keys that somebody has set by UAPI: the tunnel's present keys prove legs.
  void follow_leg_keys(const NodeConfig& config);
  /// Follows client devices that have come or gone. Failures are logged.
  void follow_client_devices(const NodeConfig& config);

  /// Refuses new connections by an operator's wish, until apply(). Returns how many are left; fails
  /// if the node has no relay.
  Result<std::uint64_t> drain_by_hand(const NodeConfig& config);
  /// Returns true if drained by hand, or switched off.
  bool is_drained() const noexcept { return drained_; }
  /// Returns true if applying `next` ends a drain.
  bool would_resume(const NodeConfig& next) const noexcept {
    return drained_ && relay_ && next.relay.enabled;
  }
  /// Refuses new connections for good: the node ends.
  void drain();

  std::uint64_t active_connections();
  /// Returns how many connections apply() and its siblings have reset since the start.
  std::uint64_t connections_reset() const noexcept { return connections_reset_; }
  /// Returns nothing if no relay has been started.
  std::optional<relay::RelaySnapshot> snapshot();
  std::vector<SynWatchStatus> syn_watches() const { return syn_watches_.status(); }

 private:
  Result<void> start_parts(const NodeConfig& config);
  void stop() noexcept;
  relay::RelaySettings door_settings(const NodeConfig& config) const;
  relay::RelaySettings settings_of(const NodeConfig& config);
  Result<void> change(const NodeConfig& config, Doors doors = {});
  Result<void> switch_off();
  std::vector<relay::SynSource*> syn_sources() const;

  Device& device_;
  const Clock& clock_;
  const std::uint32_t own_mark_;
  std::vector<unsigned> client_device_indexes_;  // when doors were last looked at; 0: away
  bool drained_ = false;
  std::uint64_t connections_reset_ = 0;
  // Destroyed from the last to the first.
  std::unique_ptr<TunnelSyns> tunnel_syns_;  // between the device and the relay
  SynWatches syn_watches_;
  WindowOpener window_opener_;
  LegIdentities leg_identities_;  // whose keys the relay has
  Doors doors_;                   // opened by prepare(), until start()
  std::unique_ptr<relay::Relay> relay_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace tw::node
