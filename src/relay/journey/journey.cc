#include "relay/journey/journey.h"

#include <cerrno>

namespace tw::relay {

Ending Journey::ending() const noexcept {
  if (const auto* finished = in<Finished>()) return finished->ending;
  if (const auto* failed = in<Failed>()) return failed->ending;
  if (const auto* deciding = in<Deciding>()) return deciding->lost;
  return {};
}

LegFault Journey::fault() const noexcept {
  if (const auto* finished = in<Finished>()) return finished->fault;
  const auto* reading = in<ReadingHeader>();
  return reading != nullptr ? reading->proof.fault() : LegFault::none;
}

void Journey::begin_header(Instant now) noexcept {
  ReadingHeader& reading = *in<ReadingHeader>();
  if (!std::exchange(reading.begun, true)) last_activity_ = now;
}

void Journey::answer_hello(Instant now) noexcept {
  in<ReadingHeader>()->begun = false;
  last_activity_ = now;
}

void Journey::claim(Instant now) noexcept {
  claim_.make();
  last_activity_ = now;
  if (const auto* failed = in<Failed>()) finish(failed->ending);
}

void Journey::go(Onward back, Instant now) noexcept {
  if (back.by_leg) {
    attempts_.begin_leg(back.warm, now + back.patience);
  } else {
    attempts_.begin_directly();
  }
  last_activity_ = now;
  phase_ = Connecting{.proof = std::move(back.proof),
                      .writable = back.connected,
                      .answers = back.answers,
                      .begun = now};
}

void Journey::connect(Instant now) noexcept {
  attempts_.connect();
  last_activity_ = now;
}

void Journey::greet() noexcept {
  Connecting& connecting = *in<Connecting>();
  phase_ = Greeting{.proof = std::move(connecting.proof), .answers = connecting.answers};
}

bool Journey::go_on(Instant now, bool with_data) noexcept {
  bool answers = false;
  BackProof proof;
  Instant notice_death_from = Instant::max();
  if (auto* const greeting = in<Greeting>()) {
    answers = greeting->answers;
  } else {
    Connecting& connecting = *in<Connecting>();
    answers = connecting.answers;
    proof = std::move(connecting.proof);
    if (!attempts_.by_leg()) notice_death_from = connecting.begun + worth_noticing;
  }
  if (answers) {
    phase_ = Asking{std::move(proof)};
  } else {
    relay(std::move(proof), now, with_data, notice_death_from);
  }
  return !answers;
}

// A back that is connected without Fast Open, or has answered, has been heard.
void Journey::relay(BackProof proof, Instant now, bool with_data,
                    Instant notice_death_from) noexcept {
  if (attempts_.is_committed() && !with_data) connect_by_ = Instant::max();
  last_activity_ = now;
  phase_ = Relaying{.proof = std::move(proof), .notice_death_from = notice_death_from};
}

void Journey::commit() noexcept {
  attempts_.commit();
  connect_by_ = Instant::max();
}

// A warm leg may be dead when it is taken, and one that is being made may find nobody: no client
// needs to see that. The end of one whose PoP has heard of us is that PoP's answer.
Step Journey::lose_back(const Loss& loss, const SocketSigns& signs) noexcept {
  if (!attempts_.may_go_on(loss.restartable)) return give_up(loss.ending);
  const bool refused = loss.again || loss.ending.outcome == Outcome::refused_proof;
  const bool unheard =
      refused || (attempts_.is_warm() ? !signs.is_heard() : !attempts_.is_connected());
  if (!unheard) return give_up(loss.ending);
  attempts_.stop_waiting();
  phase_ = Deciding{.lost = loss.ending, .leg_only = loss.again || attempts_.is_warm()};
  return Step::stale;
}

bool Journey::blames_pop() const noexcept {
  const auto* deciding = in<Deciding>();
  return deciding == nullptr || !deciding->leg_only;
}

bool Journey::retry(OtherWay way, bool restartable) const noexcept {
  if (way == OtherWay::none || !attempts_.may_go_on(restartable)) return false;
  return way == OtherWay::elsewhere || !blames_pop();
}

Step Journey::give_up(Ending ending) noexcept {
  if (claim_.is_made() || claim_.held()) return finish(ending);
  phase_ = Failed{ending};
  attempts_.stop_waiting();
  return Step::waiting;
}

Instant Journey::deadline(const RelayLimits& limits, bool half_closed) const noexcept {
  Instant earliest = std::min(claim_.is_made() ? end_of_silence(limits, half_closed) : claim_.by(),
                              attempts_.heard_by());
  if (!is<Failed>()) earliest = std::min(earliest, connect_by_);
  const auto* relaying = in<Relaying>();
  return relaying != nullptr ? std::min(earliest, relaying->notice_death_from) : earliest;
}

Instant Journey::end_of_silence(const RelayLimits& limits, bool half_closed) const noexcept {
  if (is<Failed>() || is<Finished>()) return Instant::max();
  if (is<Relaying>()) {
    return last_activity_ + (half_closed ? limits.half_close_timeout : limits.idle_timeout);
  }
  const auto* reading = in<ReadingHeader>();
  const bool may_wait = reading != nullptr && reading->may_wait();
  return last_activity_ + (may_wait ? warm_leg_timeout : limits.connect_timeout);
}

Journey::Expiry Journey::expire(Instant now, const SocketSigns& signs) noexcept {
  if (now >= connect_by_ && !is<Failed>()) return review_connect(signs);
  if (now >= attempts_.heard_by()) return review_leg(signs);
  return {.step = end_silence(now, signs)};
}

Step Journey::end_silence(Instant now, const SocketSigns& signs) noexcept {
  if (!claim_.is_made()) {
    return finish({claim_.held() ? Outcome::connect_failed : Outcome::unclaimed});
  }
  if (auto* const reading = in<ReadingHeader>()) {
    if (reading->begun) return finish({Outcome::bad_header});
    if (reading->may_wait()) return finish({Outcome::idle});
    reading->proof.judge_silence();
    return finish({Outcome::refused_proof});
  }
  if (auto* const relaying = in<Relaying>()) {
    // A reader slower than the timeout is not silent: our send queue towards it shrinks.
    const std::uint64_t queued = signs.undelivered();
    if (std::exchange(relaying->undelivered, queued) == queued || queued == 0) {
      return finish({Outcome::idle});
    }
    last_activity_ = now;
    return Step::waiting;
  }
  if (is<Failed>() || is<Finished>()) return Step::waiting;
  return finish({Outcome::connect_failed});
}

// An acknowledgement comes from the PoP's kernel, whoever is busy there.
Journey::Expiry Journey::review_leg(const SocketSigns& signs) noexcept {
  attempts_.stop_waiting();
  if (!signs.is_heard()) return {.step = Step::silent};
  if (is<Greeting>()) return {};  // it has been told nothing yet
  commit();
  return {.commits = true};
}

// A warm leg, and a socket that uses Fast Open, can be written to before anybody has heard of it,
// and the kernel would try for a quarter of an hour, or two minutes. The client is told in time.
Journey::Expiry Journey::review_connect(const SocketSigns& signs) noexcept {
  connect_by_ = Instant::max();
  if (is<Relaying>()) {
    if (attempts_.is_committed()) {
      if (!signs.is_connecting()) return {};
    } else if (signs.is_heard()) {
      commit();
      return {.commits = true};
    }
  }
  return {.step = give_up({Outcome::connect_failed, ETIMEDOUT})};
}

Step Journey::finish(Ending ending) noexcept {
  phase_ = Finished{.ending = ending, .fault = fault()};
  return Step::finished;
}

}  // namespace tw::relay
