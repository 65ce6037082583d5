// Whom the relay serves and which way: every decision about a new connection, without its sockets.
// First PoP: policy says `relay`, then the route; last PoP: a PoP we know, the policy once more,
// and always directly onward, so that no header can send a connection round in circles.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <vector>

#include "relay/kernel_route.h"
#include "relay/relay.h"
#include "relay/routes.h"
#include "relay/settings.h"
#include "relay/target_check.h"

namespace tw::relay {

/// Where a connection goes on.
struct Way {
  std::optional<std::size_t> pop;  ///< index into the settings' PoPs; empty: directly to the target
};
using Verdict = std::expected<Way, Outcome>;

class Admission {
 public:
  /// `tun_index`: interface index of the settings' TUN device. `lookup` must outlive this.
  Admission(const RelaySettings& settings, int tun_index, RouteLookup& lookup);

  /// A connection from the transparent listener.
  Verdict admit_client(const Endpoint& client, const Endpoint& target) const noexcept;
  /// Who may speak to the leg port: another PoP, by its overlay address. Index of the PoP.
  std::optional<std::size_t> pop_at(const IpAddress& peer) const noexcept;
  /// A leg whose PROXY header has been read.
  Verdict admit_leg(const Endpoint& client, const Endpoint& target) const noexcept;

 private:
  Verdict directly(const Endpoint& target) const noexcept;

  Policy policy_;
  Routes routes_;
  TargetRules rules_;
  RouteLookup* lookup_;
};

}  // namespace tw::relay
