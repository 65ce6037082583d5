// The part of Relay::State that keeps what each PoP has to prove, and says what was refused.
#include <array>
#include <string>
#include <utility>

#include "base/log.h"
#include "relay/relay_state.h"

namespace tw::relay {
namespace {

constexpr Duration fault_pause = 1min;  // between two lines of one PoP on the same fault

// Returns what is known of the fault, and how to mend it, for a sentence in the log.
std::string_view reason_of(LegFault fault) noexcept {
  switch (fault) {
    case LegFault::none:
      break;
    case LegFault::missing:
      return "it carries no proof: the PoP runs an older version, or another program connects from "
             "there. To serve such legs until the PoP is upgraded, write legs = \"any\" in its "
             "[[pop]]";
    case LegFault::no_key:
      return "there is no key to check its proof with: the tunnel has no private key, or not this "
             "peer. With legs = \"any\" in its [[pop]] it would be served unproven";
    case LegFault::wrong:
      return "its proof is made with another key: compare public_key and preshared_key_file of the "
             "two nodes, or it was forged on its way. With legs = \"any\" in its [[pop]] it would "
             "be served unproven";
    case LegFault::replayed:
      return "it repeats one that was here before: somebody has recorded it";
    case LegFault::untimely:
      return "it was made more than 30 s ago or ahead by the clock of this machine, as the PoP "
             "knows it: one of the two was suspended, or its clock runs wrong. The PoP has been "
             "told "
             "the time and makes another";
    case LegFault::restarted:
      return "it was made before this node started: the PoP has been told, and makes another. If "
             "that goes on, write legs = \"authenticated\" in the [[pop]] over there";
  }
  return {};
}

}  // namespace

// A new key is a new identity: nothing that was said under the old one counts any more.
Relay::State::PopGate Relay::State::gate_of(const PopSettings& pop, PopGate known) {
  if (!known.proof || known.key != pop.key) {
    auto proof = std::make_shared<PopProof>(pop.key);
    if (known.proof) proof->counters() = known.proof->counters();
    known = {.proof = std::move(proof), .key = pop.key};
  }
  known.proof->require(pop.legs == Legs::authenticated);
  return known;
}

// Legs that wait, of PoPs that are no more, or that would have to prove something else now.
void Relay::State::end_disowned_legs(Instant now) {
  table.for_each([&](ConnectionId id, Connection& connection) {
    if (!connection.is_leg() || connection.phase() != Connection::Phase::header) return;
    const auto pop = admission_.pop_at(connection.peer().address);
    const bool proven = connection.has_said_hello() || !connection.is_waiting_leg() ||
                        !connection.front_proof()->is_required();
    if (pop && proven && gates_[*pop].proof == connection.front_proof()) return;
    connection.finish(Outcome::closed);
    end(id, connection, now);
  });
}

void Relay::State::say_refused(const Connection& leg, Instant now) {
  const auto pop = admission_.pop_at(leg.peer().address);
  const LegFault fault = leg.fault();
  if (!pop || fault == LegFault::none) return;
  Instant& again = gates_[*pop].say_fault_again[std::to_underlying(fault)];
  if (now < again) return;
  again = now + fault_pause;
  log::warning("relay: a leg from {} (PoP {}) is refused, for {}; {} so far", leg.peer().text(),
               pops[*pop].name, reason_of(fault),
               gates_[*pop].proof->counters().refused[std::to_underlying(fault)]);
}

void Relay::State::refuse_client(const Connection& leg, std::size_t pop, Instant now) {
  ++pops[pop].refused_clients;
  Instant& again = gates_[pop].say_client_again;
  if (now < again) return;
  again = now + fault_pause;
  const IpAddress client = leg.client().address.unmapped();
  const auto owner = settings.pop_clients->owner_of(client);
  log::warning(
      "relay: PoP {} names the client {}, which is {}: refused, {} so far. If clients of that "
      "address may come by it, write clients = [\"{}/{}\"] in its [[pop]]",
      pops[pop].name, client.text(),
      owner ? "in another peer's allowed IPs (" + owner->prefix.text() + ")"
            : std::string{"an address of this node or of its own devices"},
      pops[pop].refused_clients, client.text(), client.bits());
}

}  // namespace tw::relay
