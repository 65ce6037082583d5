#include "relay/journey/back_proof.h"

#include <cerrno>

namespace tw::relay {

std::optional<PopProof::Hello> BackProof::ask(ByteSpan header, const LegEnds& ends, Instant now) {
  switch (pop_->way(now)) {
    case PopProof::Way::plain:
      if (pop_->has_key()) pop_->seal(header, ends, now);
      pop_->went_unproven();
      settle();
      break;
    case PopProof::Way::sealed:
      awaited_.emplace(Awaited{pop_->seal(header, ends, now)});
      break;
    case PopProof::Way::greet: {
      PopProof::Hello hello;
      awaited_.emplace(Awaited{pop_->make_hello(hello, ends)});
      return hello;
    }
  }
  return std::nullopt;
}

BackProof::Judgement BackProof::judge(AnswerProofReader::State read, bool greeted,
                                      Instant now) noexcept {
  using Read = AnswerProofReader::State;
  using State = Judgement::State;
  if (read == Read::incomplete) return {};
  if (read != Read::complete) {
    pop_->not_answered(read == Read::ended && greeted, now);
    return {State::refused, pop_->way(now) == PopProof::Way::plain, awaited_->answer.os_errno};
  }
  switch (pop_->take_answer(awaited_->answer.bytes, awaited_->said, now)) {
    case PopProof::Answered::again:
      return {.state = State::refused, .again = true};
    case PopProof::Answered::wrong:
      return {.state = State::refused, .os_errno = EPROTO};
    case PopProof::Answered::proven:
      break;
  }
  return {.state = State::proven};
}

void BackProof::seal_bound(ByteSpan header) const noexcept {
  pop_->seal_bound(header, awaited_->said.ends, bond_of(awaited_->answer.bytes));
}

}  // namespace tw::relay
