// Follows the proof that a back's PoP still owes (pop_proof.h): until it has been given, nothing of
// the back reaches the front. Says what the leg is told and how its answer is to be taken; its
// owner sends and receives.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/time.h"
#include "relay/legs/leg_header.h"
#include "relay/proof/pop_proof.h"
#include "relay/stream/on_demand.h"

namespace tw::relay {

class BackProof {
 public:
  /// Nothing is owed.
  BackProof() = default;
  /// The back must prove to be that PoP; null: nothing is owed.
  explicit BackProof(std::shared_ptr<PopProof> pop) noexcept : pop_(std::move(pop)) {}

  bool is_owed() const noexcept { return pop_ != nullptr; }
  /// True if the PoP has been asked for it.
  bool is_awaited() const noexcept { return static_cast<bool>(awaited_); }

  /// The leg is connected, and `header` will go to it: it is sealed in place. Returns a hello if
  /// that is to go first; then the header waits for seal_bound(). With is_owed() only.
  std::optional<PopProof::Hello> ask(ByteSpan header, const LegEnds& ends, Instant now);

  /// Takes the answer from the leg; with is_awaited() only.
  AnswerProofReader& answer() noexcept { return awaited_->answer; }
  struct Judgement {
    enum class State : std::uint8_t { incomplete, proven, refused };
    State state = State::incomplete;
    bool again = false;  ///< refused: it is the PoP all the same, and another leg to it may do
    int os_errno = 0;    ///< refused
  };
  /// `read`: of answer(). `greeted`: a hello went, and no header yet.
  Judgement judge(AnswerProofReader::State read, bool greeted, Instant now) noexcept;
  /// Seals a header that waited until the PoP was proven.
  void seal_bound(ByteSpan header) const noexcept;
  /// Nothing is owed any more.
  void settle() noexcept {
    awaited_.reset();
    pop_.reset();
  }

 private:
  struct Awaited {
    PopProof::Said said;
    AnswerProofReader answer{};
  };
  std::shared_ptr<PopProof> pop_;
  OnDemand<Awaited> awaited_;
};

}  // namespace tw::relay
