#include "relay/syn/held_answers.h"

#include "base/assert.h"

namespace tw::relay {

void HeldAnswers::answer(std::uint32_t number, SynVerdict verdict) {
  switch (verdict) {
    case SynVerdict::pass:
      ++counters_.passed;
      break;
    case SynVerdict::refuse:
      ++counters_.refused;
      break;
    case SynVerdict::drop:
      ++counters_.repeated;
      break;
  }
  const std::size_t reporter = reporter_of(number);
  TW_ASSERT(reporter < rings_.size() &&
            rings_[reporter]->push({.held = number, .verdict = verdict}));
}

void HeldAnswers::release(std::uint32_t number, SynVerdict verdict) {
  TW_ASSERT(counters_.waiting > 0);
  --counters_.waiting;
  answer(number, verdict);
}

}  // namespace tw::relay
