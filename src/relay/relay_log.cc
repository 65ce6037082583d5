// The part of Relay::State that remembers when connections reached which stage, and tells the
// connection log what has become of whom.
#include "relay/relay_state.h"

namespace tw::relay {

void Relay::State::note_stages(Connection& connection) noexcept {
  const Via via = connection.via();
  const bool relayed = connection.is_connected() && connection.outcome() != Outcome::connect_failed;
  connection.times().take_news([&](Stage stage, Duration after) {
    if (stage != Stage::end || relayed) counters.stages.record(via, stage, after);
  });
}

void Relay::State::log_end(const Connection& connection) noexcept {
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
  // A leg that brought its server's refusal was connected itself.
  const bool relayed = connection.is_connected() && connection.outcome() != Outcome::connect_failed;
  if (relayed) return log_.relayed(record);
  log_.failed(record, polled_at_);
}

void Relay::State::log_refusal(Listener::Kind kind, const Accepted& accepted,
                               Outcome outcome) noexcept {
  if (!log_.enabled()) return;
  const bool leg = kind == Listener::Kind::legs;
  log_.failed({.time = {},
               .client = accepted.peer,
               .target = accepted.address,
               .from = leg ? "leg" : std::string_view{},
               .way = {},
               .leg = {},
               .early = false,
               .outcome = name_of(outcome),
               .active = underway_},
              polled_at_);
}

}  // namespace tw::relay
