// The part of Connection in which both its ends, where they are legs, prove whose they are.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "relay/sockets/sockets.h"
#include "relay/stream/connection.h"

namespace tw::relay {
namespace {

// A few bytes, on a connection that has sent hardly any: they find room.
bool send_whole(int socket, ByteView bytes) noexcept {
  return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(bytes.size());
}

}  // namespace

// ---- The front

Step Connection::read_header(Instant now) noexcept {
  for (;;) {
    const LegHeader header = read_leg_header(front_.get(), front_ended_, unskipped_);
    switch (header.state) {
      case LegHeader::State::empty:
        return Step::waiting;
      case LegHeader::State::unused:
        return end(Outcome::closed);
      case LegHeader::State::incomplete:
        // From its first octet on, and no longer for each further one.
        if (!std::exchange(header_begun_, true)) last_activity_ = now;
        return Step::waiting;
      case LegHeader::State::malformed:
        return end(Outcome::bad_header);
      case LegHeader::State::failed:
        return end(Outcome::reset, header.os_errno);
      case LegHeader::State::hello:
        if (const Step step = take_hello(header, now); step != Step::more) return step;
        continue;
      case LegHeader::State::complete:
        return take_header(header, now);
    }
  }
}

// A hello that is not the pair's is a health check, as any LOCAL header.
Step Connection::take_hello(const LegHeader& hello, Instant now) noexcept {
  const auto ends = ends_of_accepted(front_.get());
  if (!front_proof_ || !ends) return end(Outcome::closed);
  if (bond_) {
    fault_ = LegFault::wrong;
    return end(Outcome::refused_proof);
  }
  const auto judgement = front_proof_->judge_hello(hello.view(), *hello.proof, *ends, now);
  fault_ = judgement.fault;
  if (!judgement.answer) {
    return end(front_proof_->is_required() ? Outcome::refused_proof : Outcome::closed);
  }
  if (!send_whole(front_.get(), *judgement.answer)) return end(Outcome::reset, errno);
  bond_ = bond_of(*judgement.answer);
  header_begun_ = false;
  last_activity_ = now;
  return Step::more;
}

// An answer goes with the first bytes that go back; a refusal at once, before the reset.
Step Connection::take_header(const LegHeader& header, Instant now) noexcept {
  if (header.header.local) return end(Outcome::closed);  // a health check
  if (front_proof_) {
    const auto ends = ends_of_accepted(front_.get());
    if (!ends) return end(Outcome::reset, ENOTCONN);
    const auto judgement = front_proof_->judge(header.view(), header.proof, *ends, bond_, now);
    fault_ = judgement.fault;
    if (fault_ != LegFault::none && front_proof_->is_required()) {
      if (judgement.answer) send_whole(front_.get(), *judgement.answer);
      return end(Outcome::refused_proof);
    }
    if (judgement.answer) down_.prepend(ByteView{*judgement.answer}, /*may_wait=*/true);
  }
  has_target_ = true;
  client_ = header.header.source;
  target_ = header.header.target;
  fast_open_ = header.options.fast_open;
  asked_ = header.options.answer;
  hops_ = static_cast<std::uint8_t>(std::min(header.options.hops + 1, UINT8_MAX));
  await_client();
  return Step::header;
}

// ---- The back

Step Connection::prove_back(Instant now, Turn& turn) noexcept {
  const auto ends = ends_of_connected(back_.get());
  if (!ends) return lose_back(Outcome::reset, ENOTCONN);
  switch (back_proof_->way(now)) {
    case PopProof::Way::plain:
      if (back_proof_->has_key()) back_proof_->seal(up_.prefix(), *ends, now);
      back_proof_->went_unproven();
      back_proof_.reset();
      break;
    case PopProof::Way::sealed:
      awaited_.emplace(AwaitedProof{back_proof_->seal(up_.prefix(), *ends, now)});
      break;
    case PopProof::Way::greet: {
      PopProof::Hello hello;
      awaited_.emplace(AwaitedProof{back_proof_->make_hello(hello, *ends)});
      if (!send_whole(back_.get(), hello)) return lose_back(Outcome::reset, errno);
      phase_ = Phase::greeting;
      return Step::waiting;
    }
  }
  return after_connect(now, turn);
}

// The header goes when the hello has been answered, bound to the answer.
Step Connection::take_welcome(Instant now, Turn& turn) noexcept {
  if (const Step step = take_proof(now, turn); step != Step::more) return step;
  back_proof_->seal_bound(up_.prefix(), awaited_->said.ends, bond_of(awaited_->answer.bytes));
  awaited_.reset();
  back_proof_.reset();
  return after_connect(now, turn);
}

// Step::more: it is proven. The socket's errors are not asked for before: what it has received
// until it failed is still there.
Step Connection::take_proof(Instant now, Turn& turn) noexcept {
  using Read = AnswerProofReader::State;
  AnswerProofReader& answer = awaited_->answer;
  const Read read = answer.read(back_.get());
  if (read == Read::incomplete) return Step::waiting;
  if (read != Read::complete) {
    back_proof_->not_answered(read == Read::ended && phase_ == Phase::greeting, now);
    ask_again_ = back_proof_->way(now) == PopProof::Way::plain;
    return lose_back(Outcome::refused_proof, answer.os_errno);
  }
  switch (back_proof_->take_answer(answer.bytes, awaited_->said, now)) {
    case PopProof::Answered::again:
      ask_again_ = true;
      return lose_back(Outcome::refused_proof, 0);
    case PopProof::Answered::wrong:
      return lose_back(Outcome::refused_proof, EPROTO);
    case PopProof::Answered::proven:
      break;
  }
  last_activity_ = now;
  if (on_probation_ && !pass_probation(turn)) return end(Outcome::reset, up_.os_errno());
  return Step::more;
}

// The same where the header has gone already. False, with what is to be done, if the back is lost.
bool Connection::check_proof(Instant now, Step& lost, Turn& turn) noexcept {
  const Phase before = phase_;
  lost = take_proof(now, turn);
  if (phase_ != before) return false;
  if (lost != Step::more) return true;  // it is still to come
  awaited_.reset();
  back_proof_.reset();
  return true;
}

bool Connection::may_wait() const noexcept {
  return !header_begun_ && (bond_ || !front_proof_ || !front_proof_->is_required());
}

}  // namespace tw::relay
