// Round trips to targets, measured by connecting to them from here and closing at once: what
// PathChoice knows of those that go by a PoP. Few at a time, and nobody waits for one.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/time.h"
#include "base/unique_fd.h"
#include "relay/settings.h"
#include "wire/address.h"

namespace tw::relay {

class DirectProbes {
 public:
  static constexpr std::size_t most_at_once = 16;
  /// One that has not connected by then is given up; its target may not be reachable from here.
  static constexpr Duration patience = 3s;
  using Measured = std::function<void(const Endpoint& target, Duration rtt)>;

  DirectProbes();

  /// Does nothing if there are most_at_once already, or the target cannot be connected to.
  void begin(const Endpoint& target, const RelayLimits& limits, Instant now);
  /// Due when wait_fd() is readable or next_deadline() has come.
  void poll(Instant now, const Measured& measured);
  Instant next_deadline() const noexcept;
  /// -1: there was no descriptor left, and nothing will be measured.
  int wait_fd() const noexcept { return epoll_.get(); }
  std::size_t under_way() const noexcept { return probes_.size(); }

 private:
  struct Probe {
    Endpoint target;
    UniqueFd socket;
    Instant until;
  };
  UniqueFd epoll_;
  std::vector<Probe> probes_;  // in the order in which they were begun
};

}  // namespace tw::relay
