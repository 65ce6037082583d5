#include "relay/arrivals.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "relay/sockets/sockets.h"

namespace tw::relay {

std::optional<Arrived> Arrivals::take(Listener::Kind kind, Accepted accepted, Instant now) {
  return kind == Listener::Kind::clients ? take_client(std::move(accepted), now)
                                         : take_leg(std::move(accepted), now);
}

std::optional<Arrived> Arrivals::take_client(Accepted accepted, Instant now) {
  ++accepted_clients_;
  auto& [settings, events, table, pops, clients, ways, connector, halves, accounts] = parts_;
  const auto refuse = [&](Outcome outcome) {
    this->refuse(Listener::Kind::clients, accepted, outcome, now);
    return std::nullopt;
  };
  const ClientKey key{accepted.peer, accepted.address};
  const auto known = clients.find(key);
  if (known) {
    Connection& half = *table.find(*known);
    if (!half.claim().is_made()) return claim(*known, half, std::move(accepted.socket), now);
  }
  if (table.full()) return refuse(Outcome::limit);
  const WayChoice::Choice way = ways.choose(accepted.peer, accepted.address, now);
  if (!way) return refuse(way.error());
  const Principal client = clients.principal_of(accepted.peer.address);
  const std::size_t has = clients.connections_of(client);
  if (has >= settings.limits.max_connections_per_client) {
    warnings_.too_many_of_client(accepted.peer.address, has,
                                 accounts.count_of(Outcome::client_limit) + 1, now);
    return refuse(Outcome::client_limit);
  }

  const int front = accepted.socket.get();
  const ConnectionId id = table.add(
      Connection::client(std::move(accepted.socket), accepted.peer, accepted.address, now));
  accounts.begun();
  if (known) clients.lose(key);
  clients.add(client, key, id);
  Connection& connection = *table.find(id);
  if (settings.fast_open && came_by_fast_open(front)) connection.set_fast_open();
  clients.share_memory(connection);
  if (!events.watch_connection(front, id, Side::front)) {
    connection.finish(Outcome::limit, errno);
    return Arrived{.id = id, .step = Step::finished};
  }
  clients.start(connection);
  return Arrived{.id = id, .step = connector.begin(id, connection, *way, now)};
}

Arrived Arrivals::claim(ConnectionId id, Connection& half, UniqueFd front, Instant now) {
  const int socket = front.get();
  parts_.halves.claim(half, std::move(front), now);
  if (!half.is<Finished>() && !parts_.events.watch_connection(socket, id, Side::front)) {
    half.finish(Outcome::limit, errno);
  }
  if (half.is<Finished>()) return {.id = id, .step = Step::finished};
  parts_.clients.start(half);
  return {.id = id, .step = Step::more};
}

std::optional<Arrived> Arrivals::take_leg(Accepted accepted, Instant now) {
  const auto refuse = [&](Outcome outcome) {
    this->refuse(Listener::Kind::legs, accepted, outcome, now);
    return std::nullopt;
  };
  if (parts_.table.full()) return refuse(Outcome::limit);
  ++accepted_legs_;
  Pop* const pop = parts_.pops.at(accepted.peer.address);
  if (pop == nullptr) return refuse(Outcome::refused_source);
  if (!may_take_leg(*pop)) {
    pop->count_refused_here();
    warnings_.too_many_of_pop(pop->name(), legs_of(*pop), now);
    return refuse(Outcome::pop_limit);
  }
  legs_.add(accepted.peer.address);
  const int front = accepted.socket.get();
  const ConnectionId id = parts_.table.add(
      Connection::leg(std::move(accepted.socket), accepted.peer, pop->proof(), now));
  Connection& leg = *parts_.table.find(id);
  parts_.clients.share_memory(leg);
  if (parts_.events.watch_connection(front, id, Side::front)) return Arrived{.id = id};
  leg.finish(Outcome::limit, errno);
  return Arrived{.id = id, .step = Step::finished};
}

bool Arrivals::may_take_leg(const Pop& pop) const noexcept {
  const RelayLimits& limits = parts_.settings.limits;
  const LegCounts::Legs legs = legs_of(pop);
  const std::size_t used = std::min(parts_.table.size(), limits.max_connections);
  const std::size_t free = limits.max_connections - used;
  return legs.waiting < limits.max_waiting_legs_per_pop &&
         legs.all < std::min(limits.max_connections_per_pop, most_of_free * free);
}

// The socket is closed by its owner's return: with SO_LINGER {1, 0}, a reset.
void Arrivals::refuse(Listener::Kind kind, const Accepted& accepted, Outcome outcome, Instant now) {
  parts_.accounts.refused(kind, accepted, outcome, now);
}

void Arrivals::refuse_unseen(AcceptStatus status, Instant now) {
  if (status == AcceptStatus::refused) parts_.accounts.count(Outcome::limit);
  warnings_.no_descriptors(now);
}

Step Arrivals::admit_leg(ConnectionId id, Connection& leg, Instant now) {
  legs_.begin(leg.peer().address);
  parts_.accounts.begun();
  // A PoP that is none any more, since the leg was accepted, names nobody.
  Pop* const pop = parts_.pops.at(leg.peer().address);
  const WayChoice::Choice way =
      pop != nullptr ? parts_.ways.choose(leg, now) : std::unexpected(Outcome::refused_source);
  if (!way) {
    if (way.error() == Outcome::refused_client) {
      pop->refuse_client(leg.client().address, *parts_.settings.pop_clients, now);
    }
    leg.finish(way.error());
    return Step::finished;
  }
  parts_.connector.start_leg(leg, Side::front, *pop, now);
  return parts_.connector.begin(id, leg, *way, now);
}

void Arrivals::forget(ConnectionId id, Connection& connection, Instant now) {
  if (connection.is_leg()) {
    return legs_.remove(connection.peer().address, !connection.has_target());
  }
  parts_.clients.remove(connection, id);
  parts_.halves.forget(connection, now);
}

}  // namespace tw::relay
