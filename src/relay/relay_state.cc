#include "relay/relay_state.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/log.h"

namespace tw::relay {
namespace {

// Bytes one connection moves in each direction before the next has its turn: at 10 Gbps, 0.4 ms.
constexpr std::size_t quantum_bytes = 512U << 10U;
// Connections accepted in one poll: a crowd at the door must not stop those who are inside.
constexpr std::size_t accepts_per_poll = 64;
constexpr Duration pipe_pause = 20ms;
// SYNs of one source looked at in one poll: a flood of them must not stop the connections.
constexpr std::size_t syns_per_poll = 256, syns_between_turns = 4;

}  // namespace

Relay::State::State(RelaySettings wanted, int tun_index, EventQueue queue,
                    std::unique_ptr<RouteLookup> lookup)
    : settings(std::move(wanted)),
      events(std::move(queue)),
      wait_fds{events.fd()},
      clients(settings),
      table(settings.limits.max_connections),
      syns(events),
      accounts(pops),
      ways(settings, pops, tun_index, std::move(lookup)),
      liveness(table, pops),
      connector(settings, pops, ways, liveness, events),
      halves(settings, table, clients, ways, connector, accounts),
      arrivals({settings, events, table, pops, clients, ways, connector, halves, accounts}),
      acceptor(events),
      pipes_(settings.limits.pipe_bytes) {
  // A queue that cannot watch it measures nothing, and every target goes by its PoP.
  static_cast<void>(events.watch_legs(ways.wait_fd()));
  use_settings();
}

Result<void> Relay::State::change_doors(std::vector<OpenDoor> opened) {
  return acceptor.change(settings, std::move(opened), serve(polled_at_));
}

void Relay::State::use_settings() {
  table.set_capacity(settings.limits.max_connections);
  for (const Pop* const pop : pops.apply(settings)) {
    if (events.watch_legs(pop->legs().wait_fd())) continue;
    log::warning("relay: no warm legs to {}: {}", pop->name(),
                 system_error("watch the pool").error().text());
  }
  ways.apply();
  connector.apply();
  accounts.apply(settings.log);
  end_invalid_waiting_legs(polled_at_);
  clients.apply(table);
  halves.apply();
  legs_ready_ = true;
  pipes_.set_pipe_bytes(settings.limits.pipe_bytes);
  acceptor.apply(settings);
}

std::size_t Relay::State::poll(Instant now, std::size_t budget) {
  polled_at_ = now;
  take_events();
  take_paused_back(now);
  take_syns(now, syns_per_poll);
  poll_legs(now);
  std::size_t handled = acceptor.accept_some(now, std::min(budget, accepts_per_poll), serve(now));
  // On a short path the onward halves are connected by now, and their clients have spoken.
  if (handled > 0) take_events();
  // A connection that is over needs only to be closed, which takes long: bytes went first.
  for (const ConnectionId id : over_) table.make_runnable(id);
  over_.clear();
  refusing_ = draining_ && (refusing_ || !acceptor.is_any_ready());
  while (handled < budget) {
    const auto id = table.next_runnable();
    if (!id) break;
    take_turn(*id, now);
    ++handled;
    // A turn may take half a millisecond, and a SYN that is held is a client that waits.
    if (settings.accept == Accept::verified) take_syns(now, syns_between_turns);
  }
  expire(now);
  liveness.check(now, settings.limits.connect_timeout, [this, now](ConnectionId id) {
    Connection* const connection = table.find(id);
    if (connection == nullptr) return;
    connection->finish(Outcome::reset, ETIMEDOUT);
    end(id, *connection, now);
  });
  halves.wake_reporter();
  return handled;
}

void Relay::State::take_events() {
  events.take([this](const EventQueue::Event& event) {
    switch (event.source) {
      case EventQueue::Source::door:
        return acceptor.set_ready(event.door);
      case EventQueue::Source::legs:
        legs_ready_ = true;
        return;
      case EventQueue::Source::syns:  // are asked in every turn
        return;
      case EventQueue::Source::connection:
        break;
    }
    Connection* const connection = table.find(event.id);
    if (connection == nullptr) return;
    connection->on_events(event.side, event.epoll_events);
    if ((event.epoll_events & EPOLLHUP) != 0) {
      over_.push_back(event.id);
    } else {
      table.make_runnable(event.id);
    }
  });
}

void Relay::State::take_syns(Instant now, std::size_t most) {
  syns.take(most, [&](const SynReport& syn, const SynSource& source) {
    settle(halves.take(syn, source, !draining_, now), now);
  });
  halves.wake_reporter();
}

void Relay::State::poll_legs(Instant now) {
  const bool ready = std::exchange(legs_ready_, false);
  for (Pop* const pop : pops) {
    if (ready || now >= pop->legs().next_deadline()) pop->legs().poll(now);
  }
  if (ready || now >= ways.next_deadline()) ways.poll(now);
}

// Two words, which a std::function keeps without allocating.
Acceptor::Visitor Relay::State::serve(Instant now) {
  return [this, now](const DoorPlan& door, AcceptStatus status, Accepted accepted) {
    if (status != AcceptStatus::accepted) return arrivals.refuse_unseen(status, now);
    syns.remember(door.device_index, accepted.peer.address);
    if (refusing_) return arrivals.refuse(door.kind, accepted, Outcome::shutdown, now);
    settle(arrivals.take(door.kind, std::move(accepted), now), now);
  };
}

// Connections that were set apart to gather bytes, or that found no pipe, have their turn again.
void Relay::State::take_paused_back(Instant now) {
  if (now >= coalescing_until_) {
    coalescing_until_ = Instant::max();
    table.take_all_back();
  }
  gatherers_.take_due(now, [this](ConnectionId id) {
    Connection* const connection = table.find(id);
    if (connection == nullptr) return;
    connection->end_gathering();
    table.make_runnable(id);
  });
  if (now < pipes_again_) return;
  pipes_again_ = Instant::max();
  for (const ConnectionId id : std::exchange(without_pipe_, {})) table.make_runnable(id);
}

void Relay::State::expire(Instant now) {
  table.take_due(now, [&](ConnectionId id) {
    Connection* const connection = table.find(id);
    if (connection == nullptr) return;
    connection->tend(now, settings.limits);
    const Instant deadline = connection->deadline(settings.limits);
    if (deadline > now) return table.watch(id, deadline);
    settle(id, *connection, connection->expire(now), now);
  });
}

void Relay::State::take_turn(ConnectionId id, Instant now) {
  Connection* const connection = table.find(id);
  if (connection == nullptr) return;
  const Progress progress = connection->advance(now, pipes_, quantum_bytes);
  if (progress.verified) halves.pass(*connection, now);
  accounts.count_bytes(progress);
  if (progress.connected || progress.answered) {
    Pop* const pop = pops.find(connection->pop());
    if (progress.connected && pop != nullptr) pop->count_opened();
    if (progress.connected && pop == nullptr) ways.connected_directly(*connection, now);
    if (progress.answered && pop != nullptr) pop->legs().answered();
  }
  if (connection->times().has_news()) accounts.note_stages(*connection);
  settle(id, *connection, progress.step, now);
}

void Relay::State::settle(const std::optional<Arrived>& arrived, Instant now) {
  if (arrived) settle(arrived->id, *table.find(arrived->id), arrived->step, now);
}

void Relay::State::settle(ConnectionId id, Connection& connection, Step step, Instant now) {
  const bool has_more = step == Step::gather || step == Step::more;
  if (!has_more && connection.gathering().is_over()) set_deaf(id, connection, false);
  switch (step) {
    case Step::header:
      return settle(id, connection, arrivals.admit_leg(id, connection, now), now);
    case Step::finished:
      return end(id, connection, now);
    case Step::stale:
    case Step::silent:
      return settle(id, connection, connector.begin_again(id, connection, step, now), now);
    case Step::more:
      table.make_runnable(id);
      break;
    case Step::gather:
      gather(id, connection, now);
      break;
    case Step::no_pipe:
      without_pipe_.push_back(id);
      pipes_again_ = std::min(pipes_again_, now + pipe_pause);
      break;
    case Step::waiting:
      break;
  }
  table.watch(id, connection.deadline(settings.limits));
}

// Over near paths all connections gather together, in a sleep too short for anybody to notice: each
// wake-up then finds as much as possible. A longer one is that connection's alone.
void Relay::State::gather(ConnectionId id, Connection& connection, Instant now) {
  const Duration together = settings.limits.coalesce;
  if (together == Duration::zero()) return table.make_runnable(id);
  Gathering& gathering = connection.gathering();
  const Duration time = gathering.time(together);
  if (time > together) {
    set_deaf(id, connection, true);
    if (gathering.begin_wait()) gatherers_.add(id, now + time);
    return;
  }
  if (!table.has_apart()) coalescing_until_ = now + together;
  table.set_apart(id);
}

// A side that hears again is told of all that came while it was deaf.
void Relay::State::set_deaf(ConnectionId id, Connection& connection, bool may) noexcept {
  Gathering& gathering = connection.gathering();
  for (const Side side : {Side::front, Side::back}) {
    const bool deaf = may && gathering.is_wanted(side);
    if (deaf == gathering.is_deaf(side)) continue;
    gathering.set_deaf(side, deaf);
    events.set_deaf(connection.socket(side), id, side, deaf);
  }
}

void Relay::State::end(ConnectionId id, Connection& connection, Instant now) {
  liveness.note_end(id, connection);
  accounts.ended(connection, now);
  arrivals.forget(id, connection, now);
  connection.learn_paths(now);
  connection.close();
  table.remove(id);
}

void Relay::State::end_as(ConnectionId id, Connection& connection, Outcome outcome, Instant now) {
  connection.finish(outcome);
  end(id, connection, now);
}

// Legs that wait for a target end, if their PoP is configured no more, or if they would have to
// prove something else now.
void Relay::State::end_invalid_waiting_legs(Instant now) {
  table.for_each([&](ConnectionId id, Connection& connection) {
    if (!connection.is<ReadingHeader>()) return;
    const Pop* const pop = pops.at(connection.peer().address);
    if (pop != nullptr && connection.may_wait_for(pop->proof())) return;
    end_as(id, connection, Outcome::closed, now);
  });
}

// A drained relay does not leave: what it left, another would take. Its doors are answered with a
// reset as soon as those have been served who had come before.
void Relay::State::drain(Instant now) noexcept {
  draining_ = true;
  acceptor.set_all_ready();
  for (Pop* const pop : pops) pop->legs().close_idle();
  table.for_each([&](ConnectionId id, Connection& connection) {
    // A client that still waits for its server's answer is told to go elsewhere.
    if (connection.claim().held()) return end_as(id, connection, Outcome::shutdown, now);
    if (connection.is_waiting_leg()) end_as(id, connection, Outcome::closed, now);
  });
  halves.wake_reporter();
}

void Relay::State::resume() noexcept {
  draining_ = refusing_ = false;
  for (Pop* const pop : pops) pop->legs().reopen();
}

void Relay::State::refuse_all(Instant now) noexcept {
  drain(now);
  table.for_each([&](ConnectionId id, Connection& connection) {
    end_as(id, connection, Outcome::shutdown, now);
  });
  halves.wake_reporter();
}

std::size_t Relay::State::revoke() {
  std::size_t revoked = 0;
  table.for_each([&](ConnectionId id, Connection& connection) {
    if (connection.is<Finished>() || !ways.refuses_now(connection)) return;
    end_as(id, connection, Outcome::revoked, polled_at_);
    ++revoked;
  });
  if (revoked > 0) halves.wake_reporter();
  return revoked;
}

// At the end of the relay: SYNs that are held are not answered any more.
void Relay::State::reset_all() noexcept {
  acceptor.close_all();
  table.for_each([&](ConnectionId id, Connection& connection) {
    connection.finish(Outcome::shutdown);
    accounts.ended(connection, polled_at_);
    connection.close();
    table.remove(id);
  });
}

Instant Relay::State::next_deadline() const noexcept {
  Instant next =
      std::min({table.next_deadline(), acceptor.next_deadline(), pipes_again_, coalescing_until_,
                gatherers_.next_deadline(), ways.next_deadline(), liveness.next_deadline()});
  for (const Pop* const pop : pops) next = std::min(next, pop->legs().next_deadline());
  return next;
}

Instant Relay::State::coalescing_until() const noexcept {
  return table.has_apart() && !has_work() ? coalescing_until_ : Instant{};
}

bool Relay::State::has_work() const noexcept {
  if (draining_ && !refusing_) return true;
  return liveness.has_work() || table.has_runnable() || legs_ready_ || acceptor.has_work();
}

RelaySnapshot Relay::State::snapshot() {
  RelaySnapshot snapshot;
  accounts.fill(snapshot);
  snapshot.accepted_clients = arrivals.accepted_clients();
  snapshot.accepted_legs = arrivals.accepted_legs();
  table.for_each([&](ConnectionId /*id*/, const Connection& connection) {
    if (connection.is_waiting_leg()) ++snapshot.waiting_legs;
  });
  snapshot.active = table.size() - snapshot.waiting_legs;
  snapshot.early_syn = halves.counters();
  snapshot.accept = settings.accept;
  snapshot.held_syns = halves.held_counters();
  snapshot.client_start = clients.start_counters(polled_at_);
  snapshot.buffers = clients.memory();
  for (const Pop* const pop : pops) {
    snapshot.pops.push_back(
        pop->snapshot(arrivals.legs_of(*pop), settings.turbo.pacing, polled_at_));
  }
  return snapshot;
}

}  // namespace tw::relay
