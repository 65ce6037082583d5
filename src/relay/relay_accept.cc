// The part of Relay::State that takes connections in and sends them on their way.
#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/log.h"
#include "relay/relay_state.h"
#include "relay/sockets/sockets.h"

namespace tw::relay {
namespace {

constexpr Duration crowd_pause = 1min;    // between two lines on what is too much
constexpr Duration accept_pause = 100ms;  // out of descriptors: until one may have come back

}  // namespace

std::size_t Relay::State::accept_some(Instant now, std::size_t most) {
  if (now < accept_again_ && accept_again_ != Instant::max()) return 0;
  std::size_t handled = 0;
  // Each door its share: a crowd of clients does not keep other PoPs out.
  const std::size_t share = doors_.empty() ? 0 : std::max<std::size_t>(most / doors_.size(), 1);
  for (Door& door : doors_) {
    for (std::size_t taken = 0; door.knocked && taken < share; ++taken) {
      Accepted accepted;
      const AcceptStatus status = door.listener.accept(spare_, accepted);
      if (status == AcceptStatus::empty) {
        door.knocked = false;
        break;
      }
      if (status == AcceptStatus::exhausted) {
        say_exhausted(now);
        accept_again_ = now + accept_pause;
        return handled;
      }
      ++handled;
      if (status == AcceptStatus::refused) {
        count(Outcome::limit);
        say_exhausted(now);
      } else {
        remember(door, accepted.peer.address);
        serve(door.listener.kind(), std::move(accepted), now);
      }
    }
  }
  return handled;
}

void Relay::State::serve(Listener::Kind kind, Accepted accepted, Instant now) {
  if (refusing_) return refuse(kind, accepted, Outcome::shutdown);
  if (kind == Listener::Kind::clients) return serve_client(std::move(accepted), now);
  if (table.full()) return refuse(kind, accepted, Outcome::limit);
  serve_leg(std::move(accepted), now);
}

void Relay::State::serve_client(Accepted accepted, Instant now) {
  ++counters.accepted_clients;
  const ClientKey key{accepted.peer, accepted.address};
  if (const auto begun = index_.find(key)) {
    Connection& connection = *table.find(*begun);
    if (!connection.claim().is_made()) return claim(*begun, connection, std::move(accepted), now);
  }
  if (table.full()) return refuse(Listener::Kind::clients, accepted, Outcome::limit);
  const Verdict verdict = admit(accepted.peer, accepted.address, now);
  if (!verdict) return refuse(Listener::Kind::clients, accepted, verdict.error());
  const Principal who = principal_of(accepted.peer.address);
  if (clients_.of(who) >= settings.limits.max_connections_per_client) {
    say_crowd(accepted.peer.address, now);
    return refuse(Listener::Kind::clients, accepted, Outcome::client_limit);
  }

  const int front = accepted.socket.get();
  const ConnectionId id = table.add(
      Connection::client(std::move(accepted.socket), accepted.peer, accepted.address, now));
  ++underway_;
  clients_.add(who);
  // One that is there already has lost its client, who has come back from the same port.
  index_.erase(key);
  index_.insert(key, id);
  Connection& connection = *table.find(id);
  if (settings.fast_open && came_by_fast_open(front)) connection.set_fast_open();
  share(connection);
  if (!watch_socket(front, id, Side::front)) {
    connection.finish(Outcome::limit, errno);
    return end(id, connection, now);
  }
  start_client(connection);
  go_onward(id, connection, *verdict, now);
}

void Relay::State::share(Connection& connection) noexcept {
  const std::uint64_t most = 2 * std::uint64_t{settings.turbo.socket_buffer_bytes};
  connection.share(receive_budget,
                   static_cast<std::uint32_t>(std::min<std::uint64_t>(most, INT_MAX)),
                   settings.resumer);
}

void Relay::State::start_client(Connection& connection) {
  const ClientStartSettings& wanted = settings.client_start;
  if (!wanted.enabled || settings.resumer == nullptr) return;
  connection.starts().start_client(
      ClientStart{client_rates_, principal_of(connection.client().address),
                  connection.socket(Side::front), wanted, *settings.resumer});
}

void Relay::State::serve_leg(Accepted accepted, Instant now) {
  ++counters.accepted_legs;
  Pop* const pop = pops_.at(accepted.peer.address);
  if (pop == nullptr) return refuse(Listener::Kind::legs, accepted, Outcome::refused_source);
  if (!may_take_leg(*pop)) {
    pop->count_refused_here();
    say_crowd_of_pop(*pop, now);
    return refuse(Listener::Kind::legs, accepted, Outcome::pop_limit);
  }
  legs_of_.add(accepted.peer.address);
  const int front = accepted.socket.get();
  const ConnectionId id =
      table.add(Connection::leg(std::move(accepted.socket), accepted.peer, pop->proof(), now));
  Connection& connection = *table.find(id);
  share(connection);
  if (!watch_socket(front, id, Side::front)) {
    connection.finish(Outcome::limit, errno);
    return end(id, connection, now);
  }
  table.watch(id, connection.deadline(settings.limits));
}

bool Relay::State::may_take_leg(const Pop& pop) const noexcept {
  const RelayLimits& limits = settings.limits;
  const LegCounts::Legs legs = legs_of_.of(pop.settings().overlay_address);
  const std::size_t free = limits.max_connections - std::min(table.size(), limits.max_connections);
  return legs.waiting < limits.max_waiting_legs_per_pop &&
         legs.all < std::min(limits.max_connections_per_pop, most_of_free * free);
}

void Relay::State::say_crowd_of_pop(const Pop& pop, Instant now) {
  if (now < crowd_said_again_) return;
  crowd_said_again_ = now + crowd_pause;
  const LegCounts::Legs legs = legs_of_.of(pop.settings().overlay_address);
  log::warning(
      "relay: PoP {} has {} legs here, {} of them without a target, as many as one PoP may "
      "(relay.max_connections_per_pop, max_waiting_legs_per_pop): further ones are refused",
      pop.name(), legs.all, legs.waiting);
}

void Relay::State::say_exhausted(Instant now) {
  if (now < exhausted_said_again_) return;
  exhausted_said_again_ = now + crowd_pause;
  log::warning(
      "relay: no descriptors left for further connections: they are reset, until some have ended; "
      "raise the limit of open files (LimitNOFILE), or lower relay.max_connections");
}

void Relay::State::say_crowd(const IpAddress& client, Instant now) {
  if (now < crowd_said_again_) return;
  crowd_said_again_ = now + crowd_pause;
  log::warning(
      "relay: {} and its like have {} connections, as many as one client may "
      "(relay.max_connections_per_client): "
      "further ones are refused; {} so far, of all clients",
      client.text(), clients_.of(principal_of(client)),
      counters.outcomes[std::to_underlying(Outcome::client_limit)] + 1);
}

// The socket is closed by its owner's return: with SO_LINGER {1, 0}, a reset.
void Relay::State::refuse(Listener::Kind kind, const Accepted& accepted, Outcome outcome) {
  count(outcome);
  log_refusal(kind, accepted, outcome);
  log::debug("relay: {} from {} to {}: {}", kind == Listener::Kind::legs ? "leg" : "client",
             accepted.peer.text(), accepted.address.text(), name_of(outcome));
}

void Relay::State::decide_leg(ConnectionId id, Connection& connection, Instant now) {
  legs_of_.begin(connection.peer().address);
  ++underway_;
  // A PoP that is none any more, since the leg was accepted, names nobody.
  Pop* const pop = pops_.at(connection.peer().address);
  const Verdict verdict =
      pop != nullptr ? admit(connection, now) : Verdict{std::unexpected(Outcome::refused_source)};
  if (!verdict) {
    if (verdict.error() == Outcome::refused_client) {
      pop->refuse_client(connection.client().address, *settings.pop_clients, now);
    }
    connection.finish(verdict.error());
    return end(id, connection, now);
  }
  start_leg(connection, Side::front, *pop, now);
  ask_again_ = std::min(ask_again_, now + LegWatch::interval);
  go_onward(id, connection, *verdict, now);
}

}  // namespace tw::relay
