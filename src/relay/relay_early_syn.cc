// The part of Relay::State that begins onward halves at a client's SYN, before its handshake is
// complete, and joins them with what is accepted later (KTCP, section 4.1).
#include <algorithm>
#include <cerrno>
#include <utility>

#include "relay/relay_state.h"

namespace tw::relay {

void Relay::State::take_syns(Instant now, std::size_t most) {
  SynReport syn;
  for (SynSource* const source : syns_) {
    source->disarm();
    for (std::size_t taken = 0; taken < most && source->pop(syn); ++taken) {
      ++counters.early_syn.seen;
      if (syn.is_held()) ++counters.held_syns.held;
      const std::optional<SynVerdict> verdict = begin_half(syn, *source, now);
      if (verdict && syn.is_held()) answer(syn.held, *verdict);
    }
  }
  wake_holder();
}

bool Relay::State::arm_syns() noexcept {
  return std::ranges::all_of(syns_, [](SynSource* source) { return source->arm(); });
}

// What is not begun for want of room is not refused either: it is served when it has been accepted.
// Returns what becomes of the SYN, if it is held; empty: the half will say.
std::optional<SynVerdict> Relay::State::begin_half(const SynReport& syn, const SynSource& source,
                                                   Instant now) {
  // A SYN with data is accepted at once: header and data then share a segment, and the last PoP may
  // use Fast Open in its turn.
  if (!settings.early_syn.enabled || draining_ || syn.payload_bytes > 0) return SynVerdict::pass;
  const ClientKey key{syn.client, syn.target};
  if (const auto known = index_.find(key)) {
    ++counters.early_syn.late;
    return meet_half(*table.find(*known), syn);
  }
  const Verdict verdict = admit(syn.client, syn.target, now);
  if (!verdict) return without_way(verdict.error(), syn);
  if (!may_begin_half(syn, now)) {
    ++counters.early_syn.over_budget;
    return SynVerdict::pass;
  }
  if (!came_by_its_device(syn, source)) {
    ++counters.early_syn.wrong_device;
    return SynVerdict::pass;
  }
  ++counters.early_syn.begun;
  const ConnectionId id = table.add(
      Connection::half(syn.client, syn.target, now + settings.early_syn.claim_timeout, now));
  ++underway_;
  const Principal who = principal_of(syn.client.address);
  clients_.add(who);
  index_.insert(key, id);
  ++unclaimed;
  unclaimed_of_.add(who);
  Connection& connection = *table.find(id);
  share(connection);
  if (!syn.proven) {
    connection.claim().set_unproven();
    ++strangers;
  }
  if (syn.is_held()) {
    connection.claim().hold({syn.held, syn.sequence}, now + settings.limits.connect_timeout);
    ++held;
  }
  table.make_runnable(id);
  go_onward(id, connection, *verdict, now);
  return std::nullopt;
}

// Within the budget only, because the kernel is asked. A client with two ways to us may be wronged:
// it waits for its handshake.
bool Relay::State::came_by_its_device(const SynReport& syn, const SynSource& source) noexcept {
  if (source.device_index() == 0) return true;
  const auto back = lookup_->ask(syn.client.address);
  return back && back->kind == KernelRoute::Kind::remote &&
         back->device_index == source.device_index();
}

void Relay::State::forget_half(const Connection& connection) noexcept {
  --unclaimed;
  unclaimed_of_.remove(principal_of(connection.client().address));
  if (connection.claim().is_unproven()) --strangers;
}

void Relay::State::remember(const Door& door, const IpAddress& client) noexcept {
  for (SynSource* const source : syns_) {
    if (source->device_index() == door.plan.device_index) source->remember(client);
  }
}

// Strangers, who may not exist, have half of the places.
bool Relay::State::may_begin_half(const SynReport& syn, Instant now) noexcept {
  const Principal who = principal_of(syn.client.address);
  const bool has_place =
      syn.proven || strangers < std::max<std::size_t>(settings.early_syn.max_unclaimed / 2, 1);
  return has_place && !table.full() && unclaimed < settings.early_syn.max_unclaimed &&
         unclaimed_of_.of(who) < settings.early_syn.max_unclaimed_per_client &&
         clients_.of(who) < settings.limits.max_connections_per_client &&
         syn_budget_.allow(who, settings.early_syn, now);
}

void Relay::State::claim(ConnectionId id, Connection& connection, Accepted accepted, Instant now) {
  const int front = accepted.socket.get();
  forget_half(connection);
  // It has come by another way: a SYN before the one that is held, which was let through.
  if (connection.claim().held()) {
    answer(connection.claim().let_go(Instant::max()), SynVerdict::drop);
    --held;
  }
  connection.claim(std::move(accepted.socket), now);
  ++counters.early_syn.claimed;
  if (!connection.is<Finished>() && !watch_socket(front, id, Side::front)) {
    connection.finish(Outcome::limit, errno);
  }
  if (connection.is<Finished>()) return end(id, connection, now);
  start_client(connection);
  table.make_runnable(id);
  table.watch(id, connection.deadline(settings.limits));
}

}  // namespace tw::relay
