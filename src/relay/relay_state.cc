#include "relay/relay_state.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "relay/legs/legs.h"
#include "relay/sockets/sockets.h"

namespace tw::relay {
namespace {

constexpr std::size_t events_per_poll = 256;
// Bytes one connection moves in each direction before the next has its turn: at 10 Gbps, 0.4 ms.
constexpr std::size_t quantum_bytes = 512U << 10U;
// Connections accepted in one poll: a crowd at the door must not stop those who are inside.
constexpr std::size_t accepts_per_poll = 64;
constexpr Duration pipe_pause = 20ms;
// SYNs of one source looked at in one poll: a flood of them must not stop the connections.
constexpr std::size_t syns_per_poll = 256, syns_between_turns = 4;

// What epoll hands back: generation (31 bits; 0 for a listener), side, index.
std::uint64_t token_of(ConnectionId id, Side side) noexcept {
  return std::uint64_t{id.generation} << 33U | (side == Side::back ? std::uint64_t{1} << 32U : 0U) |
         id.index;
}

// Of what rings without being a connection: its token has no generation, and an index beyond those
// of the doors.
constexpr std::uint32_t syn_bell = 0x7fff'ffff, legs_bell = 0x7fff'fffe;

// Until a leg's header has come, its PoP is all that is known.
const Endpoint& who_of(const Connection& connection) noexcept {
  return connection.has_target() ? connection.client() : connection.peer();
}

}  // namespace

Relay::State::State(RelaySettings wanted, int tun, UniqueFd epoll,
                    std::unique_ptr<RouteLookup> lookup)
    : settings(std::move(wanted)),
      table(settings.limits.max_connections),
      wait_fds{epoll.get()},
      tun_index_(tun),
      epoll_(std::move(epoll)),
      lookup_(std::move(lookup)),
      admission_(settings, tun_index_, *lookup_),
      direct_(std::make_unique<DirectLegs>(settings.proxy_protocol)),
      pipes_(settings.limits.pipe_bytes) {
  counters.outcomes.resize(outcome_count);
  // Without it nothing is measured, and every target goes by its PoP.
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = legs_bell}};
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, probes_.wait_fd(), &event));
  spare_.keep();
  use_settings();
}

void Relay::State::use_settings() {
  admission_ = Admission{settings, tun_index_, *lookup_};
  direct_ = std::make_unique<DirectLegs>(settings.proxy_protocol);
  receive_budget.set_limits(settings.limits.buffer_bytes, settings.limits.buffer_bytes_per_client);
  log_.apply(settings.log);
  use_pops();
  end_invalid_waiting_legs(polled_at_);
  count_clients();
  if (!settings.client_start.enabled) client_rates_ = std::make_shared<ClientRates>();
  legs_ready_ = true;
  pipes_.set_pipe_bytes(settings.limits.pipe_bytes);
  for (const Door& door : doors_) {
    if (auto done = notice_death(door.listener.fd(), settings.limits); !done) {
      log::warning("relay: accepted connections keep their limits: {}", done.error().text());
    }
    if (door.listener.kind() != Listener::Kind::legs) {
      if (auto done = take_fast_open(door.listener.fd(), settings.fast_open); !done) {
        log::warning("relay: clients' fast open stays as it was: {}", done.error().text());
      }
      continue;
    }
    if (auto done = start_fast_anew(door.listener.fd(), settings.turbo); !done) {
      log::warning("relay: accepted legs keep their turbo settings: {}", done.error().text());
    }
  }
}

Principal Relay::State::principal_of(const IpAddress& client) const noexcept {
  return principals_ ? principals_->of(client) : Principal{client};
}

// Under new settings an address may be another's.
void Relay::State::count_clients() {
  principals_ = settings.principals;
  receive_budget.set_principals(principals_);
  clients_.clear();
  unclaimed_of_.clear();
  table.for_each([&](ConnectionId /*id*/, const Connection& connection) {
    if (connection.is_leg()) return;
    const Principal who = principal_of(connection.peer().address);
    clients_.add(who);
    if (!connection.claim().is_made()) unclaimed_of_.add(who);
  });
}

void Relay::State::use_pops() {
  for (const Pop* const pop : pops_.apply(settings)) watch_pool(*pop);
}

void Relay::State::watch_pool(const Pop& pop) {
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = legs_bell}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pop.legs().wait_fd(), &event) == 0) return;
  log::warning("relay: no warm legs to {}: {}", pop.name(),
               system_error("watch the pool").error().text());
}

// Ends legs that wait for a target, if their PoP is configured no more, or if they would have to
// prove something else now.
void Relay::State::end_invalid_waiting_legs(Instant now) {
  table.for_each([&](ConnectionId id, Connection& connection) {
    if (!connection.is<ReadingHeader>()) return;
    const Pop* const pop = pops_.at(connection.peer().address);
    if (pop != nullptr && connection.may_wait_for(pop->proof())) return;
    connection.finish(Outcome::closed);
    end(id, connection, now);
  });
}

void Relay::State::start_leg(Connection& connection, Side side, const Pop& pop, Instant now) {
  if (!settings.turbo.pacing) return;
  connection.starts().start_leg(
      side, {pop.path(), settings.turbo.initcwnd, connection.socket(side), settings.resumer}, now);
}

void Relay::State::poll_legs(Instant now) {
  const bool ready = std::exchange(legs_ready_, false);
  for (Pop* const pop : pops_) {
    if (ready || now >= pop->legs().next_deadline()) pop->legs().poll(now);
  }
  if (!ready && now < probes_.next_deadline()) return;
  probes_.poll(now, [this, now](const Endpoint& target, Duration rtt) {
    path_choice_.measured(target.address, rtt, now);
  });
}

Result<void> Relay::State::take_syns_from(std::vector<SynSource*> syns) {
  for (const SynSource* const source : syns_) {
    static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, source->fd(), nullptr));
  }
  syns_ = std::move(syns);
  Result<void> watched;
  std::erase_if(syns_, [&](const SynSource* source) {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = syn_bell}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, source->fd(), &event) == 0) return false;
    watched = system_error("watch for SYNs");
    return true;
  });
  return watched;
}

bool Relay::State::watch_socket(int socket, ConnectionId id, Side side) noexcept {
  epoll_event event{.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                    .data = {.u64 = token_of(id, side)}};
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) == 0;
}

std::size_t Relay::State::poll(Instant now, std::size_t budget) {
  polled_at_ = now;
  take_events();
  retry(now);
  take_syns(now, syns_per_poll);
  poll_legs(now);
  std::size_t handled = accept_some(now, std::min(budget, accepts_per_poll));
  // On a short path the onward halves are connected by now, and their clients have spoken.
  if (handled > 0) take_events();
  // What is over needs no more than to be closed, and closing takes long: bytes went first.
  for (const ConnectionId id : over_) table.make_runnable(id);
  over_.clear();
  refusing_ = draining_ && (refusing_ || std::ranges::none_of(doors_, &Door::knocked));
  while (handled < budget) {
    const auto id = table.next_runnable();
    if (!id) break;
    take_turn(*id, now);
    ++handled;
    // A turn may take half a millisecond, and a SYN that is held is a client that waits.
    if (settings.accept == Accept::verified) take_syns(now, syns_between_turns);
  }
  expire(now);
  watch_legs(now);
  wake_holder();
  return handled;
}

void Relay::State::take_events() {
  // 3 KB in every turn of the loop: the kernel fills what is read.
  __attribute__((uninitialized)) std::array<epoll_event, events_per_poll> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const std::uint64_t token = event.data.u64;
    const ConnectionId id{static_cast<std::uint32_t>(token),
                          static_cast<std::uint32_t>(token >> 33U)};
    if (id.generation == 0) {
      if (id.index == legs_bell) legs_ready_ = true;
      if (id.index < doors_.size()) doors_[id.index].knocked = true;
      continue;
    }
    const Side side = (token >> 32U & 1U) != 0 ? Side::back : Side::front;
    if (Connection* const connection = table.find(id)) {
      connection->on_events(side, event.events);
      if ((event.events & EPOLLHUP) != 0) {
        over_.push_back(id);
      } else {
        table.make_runnable(id);
      }
    }
  }
}

void Relay::State::retry(Instant now) {
  if (now >= coalescing_until_) {
    coalescing_until_ = Instant::max();
    table.take_all_back();
  }
  if (now >= accept_again_) accept_again_ = Instant::max();
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
  const Turn turn = connection->advance(now, pipes_, quantum_bytes);
  if (turn.verified) pass_held(*connection, now);
  counters.bytes_upstream += turn.bytes_upstream;
  counters.bytes_downstream += turn.bytes_downstream;
  if (turn.connected) note_connected(*connection, now);
  if (turn.answered) {
    if (Pop* const pop = pops_.find(connection->pop())) pop->legs().answered();
  }
  if (connection->times().has_news()) note_stages(*connection);
  settle(id, *connection, turn.step, now);
}

void Relay::State::note_connected(const Connection& connection, Instant now) {
  if (Pop* const pop = pops_.find(connection.pop())) {
    pop->count_opened();
  } else if (settings.direct == DirectWay::measured) {
    const Duration rtt = connect_rtt(connection.socket(Side::back));
    if (rtt > Duration::zero()) path_choice_.measured(connection.target().address, rtt, now);
  }
}

void Relay::State::settle(ConnectionId id, Connection& connection, Step step, Instant now) {
  switch (step) {
    case Step::header:
      return decide_leg(id, connection, now);
    case Step::finished:
      return end(id, connection, now);
    case Step::stale:
    case Step::silent:
      return go_again(id, connection, step, now);
    case Step::more:
      table.make_runnable(id);
      break;
    case Step::gather:
      if (settings.limits.coalesce == Duration::zero()) {
        table.make_runnable(id);
        break;
      }
      // All together: each wake-up then finds as much as possible.
      if (!table.has_apart()) coalescing_until_ = now + settings.limits.coalesce;
      table.set_apart(id);
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

void Relay::State::end(ConnectionId id, Connection& connection, Instant now) {
  count(connection.outcome());
  note_leg_end(id, connection);
  connection.times().reach(Stage::end, now);
  note_stages(connection);
  // A server that refuses is no failure of the leg that brought the answer.
  const bool unproven = connection.outcome() == Outcome::refused_proof;
  if (unproven || (connection.outcome() == Outcome::connect_failed && !connection.is_connected())) {
    if (Pop* const pop = pops_.find(connection.pop())) pop->count_failed();
  }
  if (unproven && connection.is_leg()) {
    if (Pop* const pop = pops_.at(connection.peer().address)) {
      pop->warn_refused_leg(connection.peer(), connection.journey().fault(), now);
    }
  }
  log_end(connection);
  if (connection.has_target()) --underway_;
  if (log::enabled(log::Level::debug)) {
    const auto lasted =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - connection.times().begun());
    log::debug("relay: {} to {} {}: {}{}{}, {} bytes up, {} down, {} ms", who_of(connection).text(),
               connection.target().text(),
               connection.pop() ? pops_.name_of(*connection.pop()) : "directly",
               name_of(connection.outcome()), connection.os_errno() == 0 ? "" : ", ",
               connection.os_errno() == 0
                   ? std::string{}
                   : Error{.os_errno = connection.os_errno(), .detail = "socket"}.text(),
               connection.bytes_upstream(), connection.bytes_downstream(), lasted.count());
  }
  if (!connection.is_leg()) {
    clients_.remove(principal_of(connection.peer().address));
    const ClientKey key{connection.client(), connection.target()};
    // The client may have come back from the same port meanwhile: that one stays.
    if (index_.find(key) == id) index_.erase(key);
    if (!connection.claim().is_made()) forget_half(connection);
    if (connection.claim().held()) {
      answer(connection.claim().let_go(now), SynVerdict::refuse);
      --held;
    }
  }
  if (connection.is_leg()) legs_of_.remove(connection.peer().address, !connection.has_target());
  connection.learn_paths(now);
  connection.close();
  table.remove(id);
}

void Relay::State::count(Outcome outcome) noexcept {
  ++counters.outcomes[std::to_underlying(outcome)];
}

Instant Relay::State::next_deadline() const noexcept {
  Instant next = std::min({table.next_deadline(), accept_again_, pipes_again_, coalescing_until_,
                           probes_.next_deadline(), next_question()});
  for (const Pop* const pop : pops_) next = std::min(next, pop->legs().next_deadline());
  return next;
}

Instant Relay::State::coalescing_until() const noexcept {
  return table.has_apart() && !has_work() ? coalescing_until_ : Instant{};
}

RelaySnapshot Relay::State::snapshot() {
  RelaySnapshot snapshot = counters;
  table.for_each([&](ConnectionId /*id*/, const Connection& connection) {
    if (connection.is_waiting_leg()) ++snapshot.waiting_legs;
  });
  snapshot.active = table.size() - snapshot.waiting_legs;
  snapshot.early_syn.unclaimed = unclaimed;
  snapshot.accept = settings.accept;
  snapshot.held_syns.waiting = held;
  snapshot.client_start = {.enabled = settings.client_start.enabled,
                           .possible = settings.resumer != nullptr,
                           .known = client_rates_->known(polled_at_),
                           .starts = client_rates_->starts()};
  snapshot.buffers = receive_budget.state();
  snapshot.log = log_.counters();
  for (const Pop* const pop : pops_) {
    snapshot.pops.push_back(pop->snapshot(legs_of_.of(pop->settings().overlay_address),
                                          settings.turbo.pacing, polled_at_));
  }
  return snapshot;
}

bool Relay::State::has_work() const noexcept {
  const bool knocked = std::ranges::any_of(doors_, &Door::knocked);
  if (draining_ && !refusing_) return true;
  if (!swept_pops_.empty()) return true;
  return table.has_runnable() || legs_ready_ || (knocked && accept_again_ == Instant::max());
}

std::size_t Relay::State::revoke() {
  std::size_t revoked = 0;
  table.for_each([&](ConnectionId id, Connection& connection) {
    if (connection.is<Finished>() || !is_refused_now(connection)) return;
    connection.finish(Outcome::revoked);
    end(id, connection, polled_at_);
    ++revoked;
  });
  if (revoked > 0) wake_holder();
  return revoked;
}

void Relay::State::reset_all() noexcept {
  doors_.clear();
  table.for_each([&](ConnectionId id, Connection& connection) {
    connection.finish(Outcome::shutdown);
    count(Outcome::shutdown);
    connection.times().reach(Stage::end, polled_at_);
    log_end(connection);
    connection.close();
    table.remove(id);
  });
  clients_.clear();
  unclaimed_of_.clear();
  legs_of_.clear();
  index_.clear();
  unclaimed = strangers = held = 0;
  underway_ = 0;
}

}  // namespace tw::relay
