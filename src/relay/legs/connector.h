// Begins the onward halves of connections, directly or by a leg to a PoP, and others in their place
// when a leg fails or is silent before its PoP has heard of the connection.
#pragma once

#include <memory>
#include <optional>

#include "base/time.h"
#include "relay/legs/leg_liveness.h"
#include "relay/legs/leg_source.h"
#include "relay/legs/way_choice.h"
#include "relay/pops/pop_table.h"
#include "relay/settings.h"
#include "relay/sockets/event_queue.h"
#include "relay/stream/connection.h"

namespace tw::relay {

class Connector {
 public:
  /// All must outlive this.
  Connector(const RelaySettings& settings, const PopTable& pops, WayChoice& ways,
            LegLiveness& liveness, EventQueue& events);
  /// The settings have changed.
  void apply();

  /// Begins the onward half of a connection that has none. A PoP that a leg cannot even be begun
  /// to, for its tunnel is down, is passed over at once. Returns the step that follows: `waiting`
  /// if it has been begun, or if its client is not here yet to see that it could not be.
  Step begin(ConnectionId id, Connection& connection, WayChoice::Onward way, Instant now);
  /// After Step::stale (the leg has failed) and Step::silent (it may yet answer): begins another
  /// one, if there is a way. Returns the step that follows: `more` if it has been begun, `waiting`
  /// if the silent leg is the only one.
  Step begin_again(ConnectionId id, Connection& connection, Step lost, Instant now);
  /// The leg on that side has a target: it is paced by the path to `pop`, and watched.
  void start_leg(Connection& connection, Side side, const Pop& pop, Instant now);

 private:
  std::optional<Ending> begin_back(ConnectionId id, Connection& connection, WayChoice::Onward way,
                                   bool fresh, Instant now);

  const RelaySettings& settings_;
  const PopTable& pops_;
  WayChoice& ways_;
  LegLiveness& liveness_;
  EventQueue& events_;
  std::unique_ptr<LegSource> direct_;
};

}  // namespace tw::relay
