// Takes in what has been accepted: decides whether it is served, claims the half that its SYN has
// begun, or makes a connection of it and sends that on its way. Counts the legs that PoPs have
// here.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "relay/admission/clients.h"
#include "relay/admission/leg_counts.h"
#include "relay/legs/connector.h"
#include "relay/legs/way_choice.h"
#include "relay/log/connection_accounts.h"
#include "relay/log/limit_warnings.h"
#include "relay/pops/pop_table.h"
#include "relay/settings.h"
#include "relay/snapshot.h"
#include "relay/sockets/event_queue.h"
#include "relay/sockets/listener.h"
#include "relay/stream/connection_table.h"
#include "relay/syn/early_halves.h"

namespace tw::relay {

class Arrivals {
 public:
  /// The parts of the relay that take part; all must outlive this.
  struct Parts {
    const RelaySettings& settings;
    EventQueue& events;
    ConnectionTable& table;
    const PopTable& pops;
    Clients& clients;
    WayChoice& ways;
    Connector& connector;
    EarlyHalves& halves;
    ConnectionAccounts& accounts;
  };
  explicit Arrivals(const Parts& parts) : parts_(parts) {}

  /// Serves a connection that was accepted, or resets it. Returns it if it is served.
  std::optional<Arrived> take(Listener::Kind kind, Accepted accepted, Instant now);
  /// Resets a connection that was accepted.
  void refuse(Listener::Kind kind, const Accepted& accepted, Outcome outcome, Instant now);
  /// A connection was reset, or could not even be accepted, for want of a descriptor.
  void refuse_unseen(AcceptStatus status, Instant now);
  /// A leg's header has come: decides whether its target is served, and begins the way there.
  /// Returns the step that follows.
  Step admit_leg(ConnectionId id, Connection& leg, Instant now);
  /// The connection is finished: gives back its places.
  void forget(ConnectionId id, Connection& connection, Instant now);

  LegCounts::Legs legs_of(const Pop& pop) const noexcept {
    return legs_.of(pop.settings().overlay_address);
  }
  std::uint64_t accepted_clients() const noexcept { return accepted_clients_; }
  std::uint64_t accepted_legs() const noexcept { return accepted_legs_; }

 private:
  std::optional<Arrived> take_client(Accepted accepted, Instant now);
  Arrived claim(ConnectionId id, Connection& half, UniqueFd front, Instant now);
  std::optional<Arrived> take_leg(Accepted accepted, Instant now);
  bool may_take_leg(const Pop& pop) const noexcept;

  const Parts parts_;
  LegCounts legs_;
  LimitWarnings warnings_;
  std::uint64_t accepted_clients_ = 0, accepted_legs_ = 0;
};

}  // namespace tw::relay
