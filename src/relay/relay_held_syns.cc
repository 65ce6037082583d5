// The part of Relay::State that answers for SYNs that are held until their servers have answered
// (accept = "verified"). Each is answered exactly once: at once, or by the half that it began.
#include <utility>

#include "base/assert.h"
#include "relay/relay_state.h"

namespace tw::relay {

// Its connection is known already. The half has one held SYN at most, the latest; one that it has
// let go was lost behind us, as the answer to it may have been, and is needed again.
std::optional<SynVerdict> Relay::State::meet_half(Connection& connection, const SynReport& syn) {
  if (!syn.is_held() || !connection.claim().held()) return SynVerdict::pass;
  if (connection.claim().held()->sequence == syn.sequence) return SynVerdict::drop;
  // The client has given up and begun anew from the same port.
  answer(connection.claim().held()->number, SynVerdict::drop);
  connection.claim().replace({syn.held, syn.sequence});
  return std::nullopt;
}

// What the policy does not relay is the kernel's to judge, and so are the PoPs' own legs. The rest
// would be accepted only to be reset.
std::optional<SynVerdict> Relay::State::without_way(Outcome reason, const SynReport& syn) {
  if (!syn.is_held()) return std::nullopt;
  if (reason == Outcome::refused_policy || reason == Outcome::refused_source) {
    return SynVerdict::pass;
  }
  count(reason);
  return SynVerdict::refuse;
}

void Relay::State::pass_held(Connection& connection, Instant now) {
  answer(connection.claim().let_go(now + settings.early_syn.claim_timeout), SynVerdict::pass);
  --held;
}

void Relay::State::answer(std::uint32_t number, SynVerdict verdict) {
  HeldSynCounters& syns = counters.held_syns;
  switch (verdict) {
    case SynVerdict::pass:
      ++syns.passed;
      break;
    case SynVerdict::refuse:
      ++syns.refused;
      break;
    case SynVerdict::drop:
      ++syns.repeated;
      break;
  }
  TW_ASSERT(answers_ != nullptr && answers_->push({.held = number, .verdict = verdict}));
}

void Relay::State::wake_holder() noexcept {
  if (answers_ != nullptr) answers_->wake();
}

}  // namespace tw::relay
