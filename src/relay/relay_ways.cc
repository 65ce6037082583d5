// The part of Relay::State that sends connections on their way: by which PoP, and by which other
// one if the first does not answer.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "relay/relay_state.h"
#include "relay/sockets/sockets.h"

namespace tw::relay {

Verdict Relay::State::admit(const Endpoint& client, const Endpoint& target, Instant now) {
  return admission_.admit_client(client, target, usable_pops(target, now));
}

Verdict Relay::State::admit(const Connection& connection, Instant now) {
  if (!connection.is_leg()) return admit(connection.client(), connection.target(), now);
  const Admission::Arrival arrival{.from = admission_.pop_at(connection.peer().address),
                                   .hops = connection.hops()};
  return admission_.admit_leg(connection.client(), connection.target(), arrival,
                              usable_pops(connection.target(), now));
}

// Whom the settings do not know as a PoP any more has no legs here. A route that is gone, and a PoP
// that is not usable, refuse nobody who is on his way already.
bool Relay::State::is_refused_now(const Connection& connection) const {
  const auto pop =
      connection.is_leg() ? admission_.pop_at(connection.peer().address) : std::nullopt;
  if (connection.is_leg() && !pop) return true;
  if (!connection.has_target()) return false;
  const auto refused = connection.is_leg()
                           ? admission_.refuses_leg(connection.client(), connection.target(), pop)
                           : admission_.refuses_client(connection.client(), connection.target());
  return refused || admission_.refuses_target(connection.target());
}

// `target` must outlive the filter: two words are what a std::function keeps without allocating,
// and the time is that of the poll.
PopFilter Relay::State::usable_pops(const Endpoint& target, Instant now) {
  polled_at_ = now;
  return [this, &target](std::size_t pop) {
    const PopLegs& legs = pops_.in_place(pop).legs();
    if (!legs.is_usable(polled_at_)) return false;
    return settings.direct != DirectWay::measured ||
           !path_choice_.prefers_direct(target.address, legs.rtt(), polled_at_);
  };
}

// How far it is from here, for the next ones to the same network.
void Relay::State::measure(const Connection& connection, Way way, Instant now) {
  if (settings.direct != DirectWay::measured || !way.pop) return;
  if (!path_choice_.wants_measure(connection.target().address, now)) return;
  if (!admission_.may_go_directly(connection.target())) return;
  probes_.begin(connection.target(), settings.limits, now);
}

Pop* Relay::State::pop_of(const Way& way) const noexcept {
  return way.pop ? &pops_.in_place(*way.pop) : nullptr;
}

// A PoP that a leg cannot even be begun to, for its tunnel is down, is passed over at once. A half
// that could not be begun waits to be claimed, as one that was refused does: that its client is not
// served is told, and counted, once.
void Relay::State::go_onward(ConnectionId id, Connection& connection, Way way, Instant now) {
  auto failed = begin_back(id, connection, way, /*fresh=*/false, now);
  for (std::size_t tried = 1; failed && failed->outcome == Outcome::connect_failed && way.pop;
       ++tried) {
    pop_of(way)->legs().suspect(now);
    const Verdict other = admit(connection, now);
    if (!other || other->pop == way.pop || tried > pops_.size()) break;
    way = *other;
    failed = begin_back(id, connection, way, /*fresh=*/false, now);
  }
  if (failed) return settle(id, connection, connection.give_up_back(*failed), now);
  measure(connection, way, now);
}

// Returns why the back could not be begun; empty if it has been.
std::optional<Ending> Relay::State::begin_back(ConnectionId id, Connection& connection, Way way,
                                               bool fresh, Instant now) {
  Pop* const pop = pop_of(way);
  LegSource& source = pop != nullptr ? pop->legs() : *direct_;
  LegRequest request = connection.request();
  request.fresh = fresh;
  request.fast_open = request.fast_open && settings.fast_open;
  auto leg = source.acquire(request, now);
  if (!leg) {
    log::debug("relay: {}", leg.error().text());
    if (pop != nullptr) pop->count_failed();
    const bool exhausted = leg.error().os_errno == EMFILE || leg.error().os_errno == ENFILE;
    return Ending{exhausted ? Outcome::limit : Outcome::connect_failed, leg.error().os_errno};
  }
  const int back = leg->socket.get();
  connection.connect_by(now + settings.limits.connect_timeout);
  if (pop != nullptr) {
    connection.go_onward(*std::move(leg), pop->id(), pop->legs().patience(), now);
    start_leg(connection, Side::back, *pop, now);
    ask_again_ = std::min(ask_again_, now + LegWatch::interval);
  } else {
    connection.go_directly(*std::move(leg), now);
  }
  if (!watch_socket(back, id, Side::back)) return Ending{Outcome::limit, errno};
  table.watch(id, connection.deadline(settings.limits));
  return std::nullopt;
}

// After Step::stale, the leg has failed; after Step::silent, it may yet answer.
void Relay::State::go_again(ConnectionId id, Connection& connection, Step step, Instant now) {
  Pop* const lost = pops_.find(connection.pop());
  const bool silent = step == Step::silent;
  if (lost != nullptr && silent) lost->count_silent();
  if (lost != nullptr && connection.blames_pop()) {
    if (connection.outcome() == Outcome::refused_proof) lost->legs().warn_unproven(now);
    lost->legs().suspect(now);
  }
  if (lost != nullptr) lost->legs().watch().hurry();
  const Verdict verdict = admit(connection, now);
  const bool elsewhere = verdict && pop_of(*verdict) != lost;
  if (!connection.retry(!verdict    ? OtherWay::none
                        : elsewhere ? OtherWay::elsewhere
                                    : OtherWay::same_pop)) {
    if (silent) return table.watch(id, connection.deadline(settings.limits));
    return settle(id, connection, connection.give_up_back(), now);
  }
  log::debug("relay: a leg to {} was {}: {} for {}", pops_.name_of(*connection.pop()),
             silent ? "silent" : "dead", elsewhere ? "another way" : "another one",
             connection.target().text());
  if (lost != nullptr && elsewhere) lost->count_left();
  if (const auto failed = begin_back(id, connection, *verdict, /*fresh=*/!elsewhere, now)) {
    return settle(id, connection, connection.give_up_back(*failed), now);
  }
  table.make_runnable(id);
}

}  // namespace tw::relay
