#include "relay/pops/pop.h"

#include <string_view>
#include <utility>

#include "base/log.h"

namespace tw::relay {
namespace {

constexpr Duration warning_pause = 1min;  // between two lines of one PoP on the same matter

// Returns the known reasons of the fault, and how to mend it, for a sentence in the log.
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

std::shared_ptr<PopProof> proof_of(const PopSettings& pop) {
  auto proof = std::make_shared<PopProof>(pop.key);
  proof->require(pop.legs == Legs::authenticated);
  return proof;
}

}  // namespace

Pop::Pop(PopId id, const RelaySettings& settings, PopSettings own)
    : id_(id),
      settings_(std::move(own)),
      proof_(proof_of(settings_)),
      path_(std::make_shared<PathRate>(settings.turbo.first_rate_bps)),
      legs_(settings, settings_, proof_) {}

void Pop::apply(const RelaySettings& settings, PopSettings own) {
  if (own.key == settings_.key) {
    proof_->require(own.legs == Legs::authenticated);
  } else {
    auto proof = proof_of(own);
    proof->counters() = proof_->counters();
    proof_ = std::move(proof);
  }
  settings_ = std::move(own);
  legs_.apply(settings, settings_, proof_);
  path_->set_first_rate(settings.turbo.first_rate_bps);
}

void Pop::warn_refused_leg(const Endpoint& from, LegFault fault, Instant now) {
  Instant& again = warn_fault_again_[std::to_underlying(fault)];
  if (fault == LegFault::none || now < again) return;
  again = now + warning_pause;
  log::warning("relay: a leg from {} (PoP {}) is refused, for {}; {} so far", from.text(), name(),
               reason_of(fault), proof_->counters().refused[std::to_underlying(fault)]);
}

void Pop::refuse_client(const IpAddress& named, const PopClients& clients, Instant now) {
  ++counters_.refused_clients;
  if (now < warn_client_again_) return;
  warn_client_again_ = now + warning_pause;
  const IpAddress client = named.unmapped();
  const auto owner = clients.owner_of(client);
  log::warning(
      "relay: PoP {} names the client {}, which is {}: refused, {} so far. If clients of that "
      "address may come by it, write clients = [\"{}/{}\"] in its [[pop]]",
      name(), client.text(),
      owner ? "in another peer's allowed IPs (" + owner->prefix.text() + ")"
            : std::string{"an address of this node or of its own devices"},
      counters_.refused_clients, client.text(), client.bits());
}

PopCounters Pop::snapshot(const LegCounts::Legs& here, bool paced, Instant now) const {
  PopCounters counters = counters_;
  counters.name = name();
  counters.usable = legs_.is_usable(now);
  counters.warm = legs_.state();
  counters.legs = settings_.legs;
  counters.proof = proof_->counters();
  counters.legs_here = here.all;
  counters.waiting_here = here.waiting;
  if (paced) counters.path = path_->state(now);
  return counters;
}

}  // namespace tw::relay
