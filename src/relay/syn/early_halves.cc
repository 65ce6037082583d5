#include "relay/syn/early_halves.h"

#include <algorithm>
#include <utility>

namespace tw::relay {

EarlyHalves::EarlyHalves(const RelaySettings& settings, ConnectionTable& table, Clients& clients,
                         WayChoice& ways, Connector& connector, ConnectionAccounts& accounts)
    : settings_(settings),
      table_(table),
      clients_(clients),
      ways_(ways),
      connector_(connector),
      accounts_(accounts) {}

void EarlyHalves::apply() {
  unclaimed_of_.clear();
  table_.for_each([&](ConnectionId /*id*/, const Connection& connection) {
    if (connection.is_leg() || connection.claim().is_made()) return;
    unclaimed_of_.add(clients_.principal_of(connection.client().address));
  });
}

std::optional<Arrived> EarlyHalves::take(const SynReport& syn, const SynSource& source, bool begins,
                                         Instant now) {
  ++counters_.seen;
  if (syn.is_held()) answers_.reported();
  // A SYN with data is accepted at once: header and data then share a segment, and the last PoP may
  // use Fast Open in its turn.
  if (!settings_.early_syn.enabled || !begins || syn.payload_bytes > 0) {
    answer(syn, SynVerdict::pass);
    return std::nullopt;
  }
  if (const auto known = clients_.find({syn.client, syn.target})) {
    ++counters_.late;
    join(*table_.find(*known), syn);
    return std::nullopt;
  }
  return begin(syn, source, now);
}

std::optional<Arrived> EarlyHalves::begin(const SynReport& syn, const SynSource& source,
                                          Instant now) {
  const WayChoice::Choice way = ways_.choose(syn.client, syn.target, now);
  if (!way) {
    refuse(syn, way.error());
    return std::nullopt;
  }
  const Principal client = clients_.principal_of(syn.client.address);
  if (!may_begin(syn, client, now)) {
    ++counters_.over_budget;
    answer(syn, SynVerdict::pass);
    return std::nullopt;
  }
  // Within the budget only, because the kernel is asked. A client with two ways to us may be
  // wronged: it waits for its handshake.
  if (source.device_index() != 0 &&
      !ways_.is_reached_by(syn.client.address, source.device_index())) {
    ++counters_.wrong_device;
    answer(syn, SynVerdict::pass);
    return std::nullopt;
  }
  ++counters_.begun;
  const ConnectionId id = table_.add(
      Connection::half(syn.client, syn.target, now + settings_.early_syn.claim_timeout, now));
  accounts_.begun();
  clients_.add(client, {syn.client, syn.target}, id);
  ++unclaimed_;
  unclaimed_of_.add(client);
  Connection& connection = *table_.find(id);
  clients_.share_memory(connection);
  if (!syn.proven) {
    connection.claim().set_unproven();
    ++unproven_;
  }
  if (syn.is_held()) {
    connection.claim().hold({syn.held, syn.sequence}, now + settings_.limits.connect_timeout);
    answers_.keep_waiting();
  }
  const Step step = connector_.begin(id, connection, *way, now);
  return Arrived{.id = id, .step = step == Step::waiting ? Step::more : step};
}

// Clients that may not exist have half of the places.
bool EarlyHalves::may_begin(const SynReport& syn, const Principal& client, Instant now) noexcept {
  const EarlySynSettings& limits = settings_.early_syn;
  const bool has_place =
      syn.proven || unproven_ < std::max<std::size_t>(limits.max_unclaimed / 2, 1);
  return has_place && !table_.full() && unclaimed_ < limits.max_unclaimed &&
         unclaimed_of_.of(client) < limits.max_unclaimed_per_client &&
         clients_.connections_of(client) < settings_.limits.max_connections_per_client &&
         budget_.allow(client, limits, now);
}

// The connection of the SYN is known already. Its half has one held SYN at most, the latest; a SYN
// that it has let go was lost behind us, as the answer to it may have been, and is needed again.
void EarlyHalves::join(Connection& connection, const SynReport& syn) {
  if (!syn.is_held()) return;
  if (!connection.claim().held()) return answers_.answer(syn.held, SynVerdict::pass);
  if (connection.claim().held()->sequence == syn.sequence) {
    return answers_.answer(syn.held, SynVerdict::drop);
  }
  // The client has given up and begun anew from the same port.
  answers_.answer(connection.claim().held()->number, SynVerdict::drop);
  connection.claim().replace({syn.held, syn.sequence});
}

// A SYN that the policy does not relay is the kernel's to judge, and so are the PoPs' own legs. The
// rest would be accepted only to be reset.
void EarlyHalves::refuse(const SynReport& syn, Outcome reason) {
  if (!syn.is_held()) return;
  if (reason == Outcome::refused_policy || reason == Outcome::refused_source) {
    return answers_.answer(syn.held, SynVerdict::pass);
  }
  accounts_.count(reason);
  answers_.answer(syn.held, SynVerdict::refuse);
}

void EarlyHalves::answer(const SynReport& syn, SynVerdict verdict) {
  if (syn.is_held()) answers_.answer(syn.held, verdict);
}

void EarlyHalves::claim(Connection& connection, UniqueFd front, Instant now) {
  end_wait(connection);
  // It has come by another way: a SYN before the one that is held, which was let through.
  if (connection.claim().held())
    answers_.release(connection.claim().let_go(Instant::max()), SynVerdict::drop);
  connection.claim(std::move(front), now);
  ++counters_.claimed;
}

void EarlyHalves::pass(Connection& connection, Instant now) {
  const std::uint32_t held = connection.claim().let_go(now + settings_.early_syn.claim_timeout);
  answers_.release(held, SynVerdict::pass);
}

void EarlyHalves::forget(Connection& connection, Instant now) {
  if (!connection.claim().is_made()) end_wait(connection);
  if (connection.claim().held())
    answers_.release(connection.claim().let_go(now), SynVerdict::refuse);
}

void EarlyHalves::end_wait(const Connection& connection) noexcept {
  --unclaimed_;
  unclaimed_of_.remove(clients_.principal_of(connection.client().address));
  if (connection.claim().is_unproven()) --unproven_;
}

EarlySynCounters EarlyHalves::counters() const noexcept {
  EarlySynCounters counters = counters_;
  counters.unclaimed = unclaimed_;
  return counters;
}

}  // namespace tw::relay
