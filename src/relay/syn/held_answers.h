// Answers to the SYNs that their reporter holds back (accept = "verified"), each of them exactly
// once: at once, or when the half that it began knows.
#pragma once

#include <cstdint>

#include "relay/snapshot.h"
#include "relay/syn/syn_source.h"

namespace tw::relay {

class HeldAnswers {
 public:
  /// Answers go to `ring` from now on, which must outlive this. Before the first SYN is held.
  void send_to(SynAnswers* ring) noexcept { ring_ = ring; }

  /// A SYN has been reported as held.
  void reported() noexcept { ++counters_.held; }
  /// Answers one that is not kept waiting.
  void answer(std::uint32_t number, SynVerdict verdict);
  /// One waits from now on, for the end that its half has.
  void keep_waiting() noexcept { ++counters_.waiting; }
  /// Answers one that waited.
  void release(std::uint32_t number, SynVerdict verdict);
  /// Wakes the reporter if there are answers since the last time.
  void wake() noexcept {
    if (ring_ != nullptr) ring_->wake();
  }

  const HeldSynCounters& counters() const noexcept { return counters_; }

 private:
  SynAnswers* ring_ = nullptr;
  HeldSynCounters counters_;
};

}  // namespace tw::relay
