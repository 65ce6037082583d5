#include "relay/proof/pop_proof.h"

#include <chrono>
#include <utility>

#include "crypto/secret.h"

namespace tw::relay {
namespace {

constexpr std::array<std::string_view, leg_fault_count> fault_names{
    "none", "missing", "no_key", "wrong", "replayed", "untimely", "restarted"};
static_assert(std::to_underlying(LegFault::restarted) + std::size_t{1} == leg_fault_count);

std::uint64_t random_number() noexcept {
  std::uint64_t number = 0;
  crypto::random_bytes({reinterpret_cast<std::uint8_t*>(&number), sizeof number});
  return number;
}

// The number fits if the machine has been up for less than 584 years.
std::uint64_t nanoseconds_of(Instant now) noexcept {
  return static_cast<std::uint64_t>(now.since_origin().count());
}

}  // namespace

std::string_view name_of(LegFault fault) noexcept { return fault_names[std::to_underlying(fault)]; }

PopProof::PopProof(const std::optional<LegKey>& key)
    : name_(random_number() | 1U), nonces_(random_number()) {
  if (key) key_.emplace(*key);
}

PopProof::Judgement PopProof::verdict(LegFault fault) noexcept {
  counters_.from_authenticated = fault == LegFault::none;
  counters_.last_fault = fault;
  if (fault != LegFault::none && required_) ++counters_.refused[std::to_underlying(fault)];
  return {.fault = fault};
}

AnswerBytes PopProof::answer_to(const ReceivedProof& received, const LegEnds& ends,
                                LegAnswerProof::Status status, Instant now) const noexcept {
  return write_answer({.status = status, .acceptor = name_, .time_ns = nanoseconds_of(now)}, *key_,
                      ends, received.mac);
}

PopProof::Judgement PopProof::judge_hello(ByteView header, const ReceivedProof& proof,
                                          const LegEnds& ends, Instant now) {
  if (!key_) return verdict(LegFault::no_key);
  if (proof.proof.kind != HeaderProof::Kind::hello || !is_proven(header, proof, *key_, ends)) {
    return verdict(LegFault::wrong);
  }
  if (nonces_.accept(nanoseconds_of(now), proof.proof.nonce) != LegNonces::Verdict::fresh) {
    return verdict(LegFault::replayed);
  }
  Judgement judgement = verdict(LegFault::none);
  judgement.answer = answer_to(proof, ends, LegAnswerProof::Status::proven, now);
  return judgement;
}

PopProof::Judgement PopProof::judge(ByteView header, const std::optional<ReceivedProof>& proof,
                                    const LegEnds& ends, const std::optional<crypto::Mac>& bond,
                                    Instant now) {
  if (!proof) return verdict(LegFault::missing);
  if (!key_) return verdict(LegFault::no_key);
  const auto wanted = bond ? HeaderProof::Kind::bound : HeaderProof::Kind::fresh;
  if (proof->proof.kind != wanted ||
      !is_proven(header, *proof, *key_, ends, bond.value_or(crypto::Mac{}))) {
    return verdict(LegFault::wrong);
  }
  return bond ? verdict(LegFault::none) : judge_fresh(*proof, ends, now);
}

PopProof::Judgement PopProof::judge_fresh(const ReceivedProof& received, const LegEnds& ends,
                                          Instant now) {
  using Status = LegAnswerProof::Status;
  const auto refused = [&](LegFault fault, Status status) {
    Judgement judgement = verdict(fault);
    if (received.proof.wants_answer) judgement.answer = answer_to(received, ends, status, now);
    return judgement;
  };
  if (received.proof.acceptor != name_) return refused(LegFault::restarted, Status::restarted);
  const auto ahead =
      Duration{static_cast<Duration::rep>(received.proof.time_ns - nanoseconds_of(now))};
  if (ahead > tolerance || ahead < -tolerance) return refused(LegFault::untimely, Status::untimely);
  switch (nonces_.accept(received.proof.time_ns, received.proof.nonce)) {
    case LegNonces::Verdict::fresh:
      break;
    case LegNonces::Verdict::seen:
      return verdict(LegFault::replayed);
    case LegNonces::Verdict::too_old:
      return refused(LegFault::untimely, Status::untimely);
  }
  return refused(LegFault::none, Status::proven);
}

PopProof::Way PopProof::way(Instant now) const noexcept {
  if (!key_) return Way::plain;
  if (acceptor_) return Way::sealed;
  return !required_ && old_until_ && now < *old_until_ ? Way::plain : Way::greet;
}

PopProof::Said PopProof::make_hello(Hello& hello, const LegEnds& ends) const noexcept {
  hello = blank_hello();
  return {ends, seal_header(hello, {.kind = HeaderProof::Kind::hello, .nonce = random_number()},
                            *key_, ends)};
}

PopProof::Said PopProof::seal(ByteSpan header, const LegEnds& ends, Instant now) const noexcept {
  HeaderProof proof{.kind = HeaderProof::Kind::fresh, .nonce = random_number()};
  if (acceptor_) {
    proof.wants_answer = true;
    proof.acceptor = acceptor_->name;
    proof.time_ns = acceptor_->time_ns + nanoseconds_of(now) - nanoseconds_of(acceptor_->learned);
  }
  return {ends, seal_header(header, proof, *key_, ends)};
}

void PopProof::seal_bound(ByteSpan header, const LegEnds& ends,
                          const crypto::Mac& bond) const noexcept {
  seal_header(header, {.kind = HeaderProof::Kind::bound}, *key_, ends, bond);
}

PopProof::Answered PopProof::take_answer(const AnswerBytes& answer, const Said& said,
                                         Instant now) noexcept {
  const auto proof = key_ ? read_answer(answer, *key_, said.ends, said.mac) : std::nullopt;
  if (!proof) {
    not_answered(/*in_order=*/false, now);
    return Answered::wrong;
  }
  counters_.to_authenticated = true;
  old_until_.reset();
  acceptor_ = {.name = proof->acceptor, .time_ns = proof->time_ns, .learned = now};
  return proof->status == LegAnswerProof::Status::proven ? Answered::proven : Answered::again;
}

void PopProof::not_answered(bool in_order, Instant now) noexcept {
  counters_.to_authenticated = false;
  acceptor_.reset();
  if (in_order && !required_) old_until_ = now + ask_again;
}

}  // namespace tw::relay
