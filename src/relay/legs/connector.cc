#include "relay/legs/connector.h"

#include <cerrno>
#include <cstddef>
#include <utility>

#include "base/log.h"
#include "relay/legs/direct_legs.h"

namespace tw::relay {

Connector::Connector(const RelaySettings& settings, const PopTable& pops, WayChoice& ways,
                     LegLiveness& liveness, EventQueue& events)
    : settings_(settings), pops_(pops), ways_(ways), liveness_(liveness), events_(events) {
  apply();
}

void Connector::apply() { direct_ = std::make_unique<DirectLegs>(settings_.proxy_protocol); }

// A half that could not be begun waits to be claimed, as one that was refused does: that its client
// is not served is told, and counted, once.
Step Connector::begin(ConnectionId id, Connection& connection, WayChoice::Onward way, Instant now) {
  auto failed = begin_back(id, connection, way, /*fresh=*/false, now);
  for (std::size_t tried = 1;
       failed && failed->outcome == Outcome::connect_failed && way.pop != nullptr; ++tried) {
    way.pop->legs().suspect(now);
    const WayChoice::Choice other = ways_.choose(connection, now);
    if (!other || other->pop_id() == way.pop_id() || tried > pops_.size()) break;
    way = *other;
    failed = begin_back(id, connection, way, /*fresh=*/false, now);
  }
  if (failed) return connection.give_up_back(*failed);
  ways_.begin_measuring(connection, way, now);
  return Step::waiting;
}

void Connector::start_leg(Connection& connection, Side side, const Pop& pop, Instant now) {
  liveness_.expect_leg(now);
  if (!settings_.turbo.pacing) return;
  connection.starts().start_leg(
      side, {pop.path(), settings_.turbo.initcwnd, connection.socket(side), settings_.resumer},
      now);
}

// Returns why the back could not be begun; empty if it has been.
std::optional<Ending> Connector::begin_back(ConnectionId id, Connection& connection,
                                            WayChoice::Onward way, bool fresh, Instant now) {
  LegSource& source = way.pop != nullptr ? way.pop->legs() : *direct_;
  LegRequest request = connection.request();
  request.fresh = fresh;
  request.fast_open = request.fast_open && settings_.fast_open;
  auto leg = source.acquire(request, now);
  if (!leg) {
    log::debug("relay: {}", leg.error().text());
    if (way.pop != nullptr) way.pop->count_failed();
    const bool exhausted = leg.error().os_errno == EMFILE || leg.error().os_errno == ENFILE;
    return Ending{exhausted ? Outcome::limit : Outcome::connect_failed, leg.error().os_errno};
  }
  const int back = leg->socket.get();
  connection.connect_by(now + settings_.limits.connect_timeout);
  if (way.pop != nullptr) {
    connection.go_onward(*std::move(leg), way.pop->id(), way.pop->legs().patience(), now);
    start_leg(connection, Side::back, *way.pop, now);
  } else {
    connection.go_directly(*std::move(leg), now);
  }
  if (!events_.watch_connection(back, id, Side::back)) return Ending{Outcome::limit, errno};
  return std::nullopt;
}

Step Connector::begin_again(ConnectionId id, Connection& connection, Step lost_by, Instant now) {
  Pop* const lost = pops_.find(connection.pop());
  const bool silent = lost_by == Step::silent;
  if (lost != nullptr) {
    if (silent) lost->count_silent();
    if (connection.blames_pop()) {
      if (connection.outcome() == Outcome::refused_proof) lost->legs().warn_unproven(now);
      lost->legs().suspect(now);
    }
    lost->legs().watch().hurry();
  }
  const WayChoice::Choice way = ways_.choose(connection, now);
  // Not compared by object: a PoP that the settings have no more has none, as the direct way has.
  const bool elsewhere = way && way->pop_id() != connection.pop();
  if (!connection.retry(!way        ? OtherWay::none
                        : elsewhere ? OtherWay::elsewhere
                                    : OtherWay::same_pop)) {
    return silent ? Step::waiting : connection.give_up_back();
  }
  log::debug("relay: a leg to {} was {}: {} for {}", pops_.name_of(*connection.pop()),
             silent ? "silent" : "dead", elsewhere ? "another way" : "another one",
             connection.target().text());
  if (lost != nullptr && elsewhere) lost->count_left();
  const auto failed = begin_back(id, connection, *way, /*fresh=*/!elsewhere, now);
  return failed ? connection.give_up_back(*failed) : Step::more;
}

}  // namespace tw::relay
