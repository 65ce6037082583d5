// One PoP's identity, as far as legs have to prove it: what is asked of legs that come from it, and
// what legs to it say. The bytes are leg_proof.h's; sockets are the callers'.
//
// No clock is compared with another: a PoP learns from each answer which acceptor it has before it,
// and what time it is there; so a header is good for one acceptor, once, within `tolerance`. An
// acceptor that has started anew has another name, and whatever was said to the one before is
// refused, with an answer that tells the new name and time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/describe.h"
#include "base/time.h"
#include "relay/proof/leg_key.h"
#include "relay/proof/leg_nonces.h"
#include "relay/proof/leg_proof.h"

namespace tw::relay {

/// Why a leg is not known to be its PoP's.
enum class LegFault : std::uint8_t {
  none,       ///< it is known
  missing,    ///< it carries no proof
  no_key,     ///< there is no key of the pair to check it with
  wrong,      ///< another key, or something else than was sealed
  replayed,   ///< a leg with this very header was here before
  untimely,   ///< made too long ago, or in the future
  restarted,  ///< made for an acceptor that is no more, or for none
};
inline constexpr std::size_t leg_fault_count = 7;
std::string_view name_of(LegFault fault) noexcept;

struct LegProofCounters {
  std::optional<bool> from_authenticated, to_authenticated;  ///< the last leg; none: not one yet
  LegFault last_fault = LegFault::none;                      ///< of those from it
  std::array<std::uint64_t, leg_fault_count> refused{};      ///< legs from it, by LegFault
};

inline constexpr MetricFamily refused_legs_metric{"relay_refused_legs_total",
                                                  "Legs of a PoP that were refused, by why"};
inline constexpr MetricFamily leg_authenticated_metric{"relay_leg_authenticated",
                                                       "1: the last leg from, or to, this PoP was",
                                                       MetricFamily::Type::gauge};

template <typename Visitor>
void describe(Visitor& visit, const LegProofCounters& of) {
  const MetricFamily* const proven = &leg_authenticated_metric;
  visit.maybe_flag("from_authenticated", of.from_authenticated, {proven, "side", "from"});
  visit.text_or_null("from_fault",
                     of.from_authenticated == false ? name_of(of.last_fault) : std::string_view{});
  visit.maybe_flag("to_authenticated", of.to_authenticated, {proven, "side", "to"});
  // The first is LegFault::none.
  visit.each(
      "refused", leg_fault_count - 1,
      [](std::size_t i) { return name_of(static_cast<LegFault>(i + 1)); },
      [&](std::size_t i) { return of.refused[i + 1]; },
      {.family = &refused_legs_metric, .label = "reason"}, Zeros::kept);
}

class PopProof {
 public:
  /// Between when a header was made and when it is read, by the acceptor's own clock. It covers
  /// retransmissions, clocks that drift between two answers, and machines that were suspended for
  /// a moment; what is beyond costs its leg a second attempt.
  static constexpr Duration tolerance = 30s;
  /// A PoP that knows no hello is asked again after so long (only while it need not).
  static constexpr Duration ask_again = 10s;

  /// Without a key nothing is proven.
  explicit PopProof(const std::optional<LegKey>& key);

  bool has_key() const noexcept { return key_.has_value(); }
  /// False: legs that prove nothing are served as well, and made.
  void require(bool required) noexcept { required_ = required; }
  bool is_required() const noexcept { return required_; }

  // ---- Legs that come from it

  struct Judgement {
    LegFault fault = LegFault::none;
    std::optional<AnswerBytes> answer{};  ///< to be sent back before all else
  };
  /// A hello: whether the leg may wait, and what it is told.
  Judgement judge_hello(ByteView header, const ReceivedProof& proof, const LegEnds& ends,
                        Instant now);
  /// A PROXY header. `bond`: of the answer that this leg's hello had; none: it comes first. With a
  /// fault the answer is to be sent all the same, and the leg to be ended if is_required().
  Judgement judge(ByteView header, const std::optional<ReceivedProof>& proof, const LegEnds& ends,
                  const std::optional<crypto::Mac>& bond, Instant now);

  /// A leg that has said nothing at all for as long as one may.
  LegFault judge_silence() noexcept { return verdict(LegFault::missing).fault; }

  // ---- Legs that go to it

  enum class Way : std::uint8_t {
    plain,   ///< it knows no proof, or there is no key: nothing is expected of it
    sealed,  ///< the header proves itself, and is answered
    greet,   ///< a hello first: it has not proven itself since it was last doubted
  };
  Way way(Instant now) const noexcept;
  /// The ends and the MAC of our message, to be held against the answer.
  struct Said {
    LegEnds ends;
    crypto::Mac mac{};
  };
  using Hello = std::array<std::uint8_t, hello_size>;
  /// With has_key() only, as the others below.
  Said make_hello(Hello& hello, const LegEnds& ends) const noexcept;
  /// Seals a header that ends with blank_proof(), for the acceptor that is known; for Way::plain,
  /// for none.
  Said seal(ByteSpan header, const LegEnds& ends, Instant now) const noexcept;
  /// The same on a leg whose hello was answered.
  void seal_bound(ByteSpan header, const LegEnds& ends, const crypto::Mac& bond) const noexcept;

  enum class Answered : std::uint8_t {
    proven,
    again,  ///< it is the PoP, and wants another leg: it was taken for another, or its clock
    wrong,  ///< not the PoP
  };
  Answered take_answer(const AnswerBytes& answer, const Said& said, Instant now) noexcept;
  /// A leg has ended, or gone on, without an answer. `in_order`: as a PoP does that takes a hello
  /// for a health check.
  void not_answered(bool in_order, Instant now) noexcept;
  /// A leg has gone without asking for a proof.
  void went_unproven() noexcept { counters_.to_authenticated = false; }
  /// Legs of it have died: it may have gone, and another be in its place.
  void doubt() noexcept {
    acceptor_.reset();
    old_until_.reset();
  }

  LegProofCounters& counters() noexcept { return counters_; }
  const LegProofCounters& counters() const noexcept { return counters_; }

 private:
  struct Acceptor {
    std::uint64_t name = 0;
    std::uint64_t time_ns = 0;  // there, at `learned`
    Instant learned;
  };
  Judgement judge_fresh(const ReceivedProof& received, const LegEnds& ends, Instant now);
  Judgement verdict(LegFault fault) noexcept;
  AnswerBytes answer_to(const ReceivedProof& received, const LegEnds& ends,
                        LegAnswerProof::Status status, Instant now) const noexcept;

  std::optional<crypto::MacKey> key_;
  bool required_ = true;
  std::uint64_t name_;  // of us as acceptor of this PoP's legs
  LegNonces nonces_;
  std::optional<Acceptor> acceptor_;
  std::optional<Instant> old_until_;  // taken for one that knows no hello
  LegProofCounters counters_;
};

}  // namespace tw::relay
