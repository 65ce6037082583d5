// Follows what a leg of another PoP has proven so far (pop_proof.h): an optional hello, then the
// PROXY header. Says what the leg is to be answered, and whether it is refused; its owner sends.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "relay/legs/leg_header.h"
#include "relay/outcome.h"
#include "relay/proof/pop_proof.h"

namespace tw::relay {

class FrontProof {
 public:
  /// The leg must prove to be that PoP's; null: nothing has to be proven.
  explicit FrontProof(std::shared_ptr<PopProof> pop) noexcept : pop_(std::move(pop)) {}

  struct Judgement {
    std::optional<AnswerBytes> answer{};  ///< goes back before all else, even if the leg is refused
    std::optional<Outcome> refused{};     ///< the leg's end; empty: it goes on
  };
  /// A hello has come. A LOCAL header that is not the pair's hello is a health check. `ends`: empty
  /// if the socket has failed.
  Judgement judge_hello(const LegHeader& hello, const std::optional<LegEnds>& ends, Instant now);
  /// A PROXY header has come. With is_asked_for() only.
  Judgement judge_header(const LegHeader& header, const LegEnds& ends, Instant now);
  /// The leg has said nothing for as long as one may.
  void judge_silence() noexcept { fault_ = pop_->judge_silence(); }

  bool is_asked_for() const noexcept { return pop_ != nullptr; }
  /// True if the leg may wait for its target as it is.
  bool may_wait() const noexcept { return said_hello() || pop_ == nullptr || !pop_->is_required(); }
  /// True if that is the PoP whose leg it must prove to be.
  bool is_for(const std::shared_ptr<PopProof>& pop) const noexcept { return pop_ == pop; }
  /// Returns the reason for which the leg is not known to be its PoP's, so far.
  LegFault fault() const noexcept { return fault_; }

 private:
  bool said_hello() const noexcept { return bond_.has_value(); }

  std::shared_ptr<PopProof> pop_;
  std::optional<crypto::Mac> bond_;  // of the answer that the hello had
  LegFault fault_ = LegFault::missing;
};

}  // namespace tw::relay
