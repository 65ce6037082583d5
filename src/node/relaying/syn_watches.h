// SYNs of the clients of other devices than the tunnel: one program at tc ingress for each of
// relay.client_devices, as long as early SYN is on. Where the kernel has none to offer, these
// clients wait for their handshakes, and the log says so.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "port/kernel/syn_watch.h"
#include "relay/settings.h"
#include "relay/syn/syn_source.h"

namespace tw::node {

struct SynWatchStatus {
  std::string device;
  SynWatchCounters counters;
};

/// On the control thread; what sources() names is the relay's until it has been told otherwise.
class SynWatches {
 public:
  SynWatches();
  ~SynWatches();

  /// Watches what `settings` name, if early SYN is on. What comes through is counted against the
  /// relay's own budgets again. A device that cannot be watched costs a line in the log. Closes
  /// what was open.
  void open(const relay::RelaySettings& settings);
  void set_budget(const relay::EarlySynSettings& settings) noexcept;
  /// Detaches. The relay must have let go of the sources.
  void close() noexcept;
  /// Returns true if there is nothing to open: each device is watched, or has been tried.
  bool is_open() const noexcept { return is_open_; }

  std::vector<relay::SynSource*> sources() const;
  std::vector<SynWatchStatus> status() const;

 private:
  class Watch;
  std::vector<std::unique_ptr<Watch>> watches_;
  std::size_t devices_ = 0;  // that share the budget of strangers
  bool is_open_ = false;
};

}  // namespace tw::node
