// The programs of every configuration, side by side on the same hosts for the whole run: each has
// its own tunnel, addresses and ports, so that nothing is restarted between two downloads, and the
// configurations can take turns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/bed/overlay.h"
#include "lab/bed/scratch.h"
#include "lab/bed/topology.h"
#include "lab/wan/configuration.h"
#include "lab/wan/forwarders.h"

namespace tw::lab {

/// Why a configuration cannot run on this machine; "" if it can.
std::string obstacle_of(Configuration configuration);

/// One configuration, up and running. What runs ends with it.
class Contestant {
 public:
  /// `service` is the server's address that is its own; `nth` counts the contestants.
  static Result<Contestant> start(Configuration configuration, std::uint16_t nth,
                                  const std::string& service, const CongestionControls& congestion,
                                  const Topology& topology, const ScratchFolder& scratch,
                                  Interrupt& interrupt);

  Configuration configuration() const noexcept { return configuration_; }
  /// Where the client's URL points.
  const std::string& authority() const noexcept { return authority_; }
  /// Returns the host whose TCP sends the file over the middle link.
  const Namespace& middle_sender(const Topology& topology) const noexcept;
  /// The programs on R_C and R_S; none where the kernel is all there is.
  std::vector<pid_t> pids() const;
  Result<void> check();
  std::vector<std::string> commands() const;

 private:
  Contestant(Configuration configuration, std::string authority)
      : configuration_(configuration), authority_(std::move(authority)) {}
  Configuration configuration_;
  std::string authority_;
  std::optional<Overlay> overlay_;
  std::optional<Forwarders> forwarders_;
};

}  // namespace tw::lab
