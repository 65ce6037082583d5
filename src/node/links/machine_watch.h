// Follows what others do to the machine's network, and to the tunnel by `wg`, while a node runs,
// and says so in the log.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/time.h"
#include "node/links/links.h"
#include "node/tunnel/tunnel_device.h"

namespace tw::node {

/// Belongs to the control thread; takes `lock` whenever it uses the links, of which other threads
/// ask for the status.
class MachineWatch {
 public:
  /// All must outlive the watch.
  MachineWatch(Links& links, Device& device, const Clock& clock, std::mutex& lock);

  /// Readable when attend() has something to do.
  std::array<int, 2> wait_fds() const noexcept { return links_.wait_fds(); }
  /// Puts back what others have taken away (Links::attend).
  void attend();
  /// Tells the firewall whose addresses are the overlay's, if `wg set` has changed that. A reload
  /// tells it before the tunnel, `wg set` after.
  void follow_tunnel();
  /// Logs packets of other programs that this machine does not forward, at most once a minute:
  /// whoever expects it to forward, a container engine that found forwarding on, say, is to be told
  /// why it does not.
  void report_foreign();
  /// Returns in how many milliseconds report_foreign() is to be called again, or -1.
  int foreign_wait_ms() const noexcept;

 private:
  Links& links_;
  Device& device_;
  const Clock& clock_;
  std::mutex& lock_;
  std::uint64_t followed_changes_ = 0;  // of the device, that the firewall knows
  std::uint64_t foreign_packets_ = 0;   // that are logged already
  std::optional<Instant> foreign_looked_, foreign_logged_;
};

}  // namespace tw::node
