#include "relay/journey/front_proof.h"

namespace tw::relay {

FrontProof::Judgement FrontProof::judge_hello(const LegHeader& hello,
                                              const std::optional<LegEnds>& ends, Instant now) {
  if (!pop_ || !ends) return {.refused = Outcome::closed};
  if (said_hello()) {
    fault_ = LegFault::wrong;
    return {.refused = Outcome::refused_proof};
  }
  const auto judged = pop_->judge_hello(hello.view(), *hello.proof, *ends, now);
  fault_ = judged.fault;
  if (!judged.answer) {
    return {.refused = pop_->is_required() ? Outcome::refused_proof : Outcome::closed};
  }
  bond_ = bond_of(*judged.answer);
  return {.answer = judged.answer};
}

FrontProof::Judgement FrontProof::judge_header(const LegHeader& header, const LegEnds& ends,
                                               Instant now) {
  const auto judged = pop_->judge(header.view(), header.proof, ends, bond_, now);
  fault_ = judged.fault;
  const bool refused = fault_ != LegFault::none && pop_->is_required();
  return {.answer = judged.answer,
          .refused = refused ? std::optional{Outcome::refused_proof} : std::nullopt};
}

}  // namespace tw::relay
