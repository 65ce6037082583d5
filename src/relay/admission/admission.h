// Decides of a new connection whether it is served and which way, without its sockets.
// First PoP: policy says `relay`, then the route. Where a leg arrives: a PoP we know, the policy
// once more, then a route of ours to a further PoP, else directly onward. Nothing goes back to the
// PoP that it came from, nor through more than most_hops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <vector>

#include "relay/admission/kernel_route.h"
#include "relay/admission/routes.h"
#include "relay/admission/target_check.h"
#include "relay/outcome.h"
#include "relay/settings.h"

namespace tw::relay {

/// The way onward of a connection.
struct Way {
  std::optional<std::size_t> pop;  ///< index into the settings' PoPs; empty: directly to the target
};
using Verdict = std::expected<Way, Outcome>;

class Admission {
 public:
  /// `tun_index`: interface index of the settings' TUN device. `lookup` must outlive this.
  Admission(const RelaySettings& settings, int tun_index, RouteLookup& lookup);

  /// A connection from the transparent listener. `usable`: which PoPs it may go by now.
  Verdict admit_client(const Endpoint& client, const Endpoint& target,
                       const PopFilter& usable) const;
  /// True if a connection from here to `target` is possible, and harms nothing.
  bool may_go_directly(const Endpoint& target) const noexcept {
    return directly(target).has_value();
  }
  /// Returns the index of the PoP that has this overlay address: it may speak to the leg port.
  std::optional<std::size_t> pop_at(const IpAddress& peer) const noexcept;
  struct Arrival {
    std::optional<std::size_t> from;  ///< the PoP that opened the leg
    std::uint8_t hops = 1;            ///< PoPs come through, this one included
  };
  /// A leg whose PROXY header has been read. refused_client: `arrival.from` may not name it.
  Verdict admit_leg(const Endpoint& client, const Endpoint& target, const Arrival& arrival,
                    const PopFilter& usable) const;

  /// Why these would be refused whatever way there is, now; empty: they would not. Of connections
  /// that have been admitted, after the settings have changed, too.
  std::optional<Outcome> refuses_client(const Endpoint& client, const Endpoint& target) const;
  std::optional<Outcome> refuses_leg(const Endpoint& client, const Endpoint& target,
                                     std::optional<std::size_t> from) const;
  /// The target is special, or local and not listed.
  bool refuses_target(const Endpoint& target) const noexcept;

 private:
  Verdict onward(const Endpoint& target, std::optional<std::size_t> from,
                 const PopFilter& usable) const;
  Verdict directly(const Endpoint& target) const noexcept;

  std::optional<Outcome> refuses(const Endpoint& client, const Endpoint& target) const;
  bool may_name(std::size_t pop, const IpAddress& client) const noexcept;

  Policy policy_;
  std::shared_ptr<const PopClients> pop_clients_;
  std::vector<int> client_devices_;  // by index; those that exist
  Routes routes_;
  TargetRules rules_;
  DirectWay direct_;
  RouteLookup* lookup_;
};

}  // namespace tw::relay
