#include "relay/log/connection_accounts.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/result.h"

namespace tw::relay {
namespace {

// A leg that brought its server's refusal was connected itself.
bool was_relayed(const Connection& connection) noexcept {
  return connection.is_connected() && connection.outcome() != Outcome::connect_failed;
}

}  // namespace

ConnectionAccounts::ConnectionAccounts(const PopTable& pops)
    : pops_(pops), outcomes_(outcome_count) {}

void ConnectionAccounts::count_bytes(const Progress& progress) noexcept {
  bytes_upstream_ += progress.bytes_upstream;
  bytes_downstream_ += progress.bytes_downstream;
}

void ConnectionAccounts::note_stages(Connection& connection) noexcept {
  const Via via = connection.via();
  const bool relayed = was_relayed(connection);
  connection.times().take_news([&](Stage stage, Duration after) {
    if (stage != Stage::end || relayed) stages_.record(via, stage, after);
  });
}

void ConnectionAccounts::ended(Connection& connection, Instant now) {
  count(connection.outcome());
  connection.times().reach(Stage::end, now);
  note_stages(connection);
  count_failed_leg(connection, now);
  log_ended(connection, now);
  if (connection.has_target()) --underway_;
  if (log::enabled(log::Level::debug)) debug_ended(connection, now);
}

// A server that refuses is no failure of the leg that brought the answer.
void ConnectionAccounts::count_failed_leg(const Connection& connection, Instant now) {
  const bool unproven = connection.outcome() == Outcome::refused_proof;
  if (unproven || (connection.outcome() == Outcome::connect_failed && !connection.is_connected())) {
    if (Pop* const pop = pops_.find(connection.pop())) pop->count_failed();
  }
  if (!unproven || !connection.is_leg()) return;
  if (Pop* const pop = pops_.at(connection.peer().address)) {
    pop->warn_refused_leg(connection.peer(), connection.journey().fault(), now);
  }
}

void ConnectionAccounts::log_ended(const Connection& connection, Instant now) noexcept {
  // A warm leg that was never used, and a health check, are no client's connection.
  const bool has_client = connection.has_target();
  if (!log_.enabled() || (!has_client && connection.outcome() != Outcome::bad_header)) return;
  LogRecord record{.time = {},
                   .client = has_client ? connection.client() : connection.peer(),
                   .target = connection.target(),
                   .from = {},
                   .way = {},
                   .leg = {},
                   .early = connection.journey().client().began_early(),
                   .times = connection.times(),
                   .bytes_up = connection.bytes_upstream(),
                   .bytes_down = connection.bytes_downstream(),
                   .outcome = name_of(connection.outcome()),
                   .os_errno = connection.os_errno(),
                   .active = underway_};
  if (connection.is_leg()) {
    const Pop* const pop = pops_.at(connection.peer().address);
    record.from = pop != nullptr ? std::string_view{pop->name()} : "leg";
  }
  if (connection.journey().attempts().kind() != BackAttempts::Kind::none) {
    record.way = connection.pop() ? pops_.name_of(*connection.pop()) : "direct";
    if (connection.pop()) record.leg = connection.journey().attempts().is_warm() ? "warm" : "fresh";
  }
  if (was_relayed(connection)) return log_.relayed(record);
  log_.failed(record, now);
}

void ConnectionAccounts::debug_ended(const Connection& connection, Instant now) const {
  // Until a leg's header has come, its PoP is all that is known.
  const Endpoint& client = connection.has_target() ? connection.client() : connection.peer();
  const auto lasted =
      std::chrono::duration_cast<std::chrono::milliseconds>(now - connection.times().begun());
  log::debug("relay: {} to {} {}: {}{}{}, {} bytes up, {} down, {} ms", client.text(),
             connection.target().text(),
             connection.pop() ? pops_.name_of(*connection.pop()) : "directly",
             name_of(connection.outcome()), connection.os_errno() == 0 ? "" : ", ",
             connection.os_errno() == 0
                 ? std::string{}
                 : Error{.os_errno = connection.os_errno(), .detail = "socket"}.text(),
             connection.bytes_upstream(), connection.bytes_downstream(), lasted.count());
}

void ConnectionAccounts::refused(Listener::Kind kind, const Accepted& accepted, Outcome outcome,
                                 Instant now) {
  count(outcome);
  const bool leg = kind == Listener::Kind::legs;
  if (log_.enabled()) {
    log_.failed({.time = {},
                 .client = accepted.peer,
                 .target = accepted.address,
                 .from = leg ? "leg" : std::string_view{},
                 .way = {},
                 .leg = {},
                 .early = false,
                 .outcome = name_of(outcome),
                 .active = underway_},
                now);
  }
  log::debug("relay: {} from {} to {}: {}", leg ? "leg" : "client", accepted.peer.text(),
             accepted.address.text(), name_of(outcome));
}

void ConnectionAccounts::fill(RelaySnapshot& snapshot) const {
  snapshot.outcomes = outcomes_;
  snapshot.bytes_upstream = bytes_upstream_;
  snapshot.bytes_downstream = bytes_downstream_;
  snapshot.stages = stages_;
  snapshot.log = log_.counters();
}

}  // namespace tw::relay
