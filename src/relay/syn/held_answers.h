// Answers to the SYNs that their reporter holds back (accept = "verified"), each of them exactly
// once: at once, or when the half that it began knows.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "relay/snapshot.h"
#include "relay/syn/syn_source.h"

namespace tw::relay {

class HeldAnswers {
 public:
  /// Answers go to these from now on, by the number of the reporter; they must outlive this. Before
  /// the first SYN is held.
  void send_to(std::vector<SynAnswers*> rings) noexcept { rings_ = std::move(rings); }

  /// A SYN has been reported as held.
  void reported() noexcept { ++counters_.held; }
  /// Answers one that is not kept waiting.
  void answer(std::uint32_t number, SynVerdict verdict);
  /// One waits from now on, for the end that its half has.
  void keep_waiting() noexcept { ++counters_.waiting; }
  /// Answers one that waited.
  void release(std::uint32_t number, SynVerdict verdict);
  /// Wakes the reporters for whom there are answers since the last time.
  void wake() noexcept {
    for (SynAnswers* ring : rings_) ring->wake();
  }

  const HeldSynCounters& counters() const noexcept { return counters_; }

 private:
  std::vector<SynAnswers*> rings_;
  HeldSynCounters counters_;
};

}  // namespace tw::relay
