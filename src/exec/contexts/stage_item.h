// Something that a context runs in steps: the stage of a core (receive, open), or the deliver stage
// of a flow. It is in at most one queue and runs in at most one place at a time; who asks for it
// while it runs makes it run once more, in the same place. That is what a NAPI or a work item of
// the kernel does, and what piles deliver calls up on a core that has fallen behind.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/assert.h"
#include "base/time.h"

namespace tw {

/// The place and the time of a step.
struct StageTurn {
  Instant now;
  std::size_t core;
};

class StageItem {
 public:
  static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

  /// `call_budget`: steps after which it goes to its queue's end.
  explicit StageItem(std::size_t call_budget) noexcept : call_budget_(call_budget) {}
  virtual ~StageItem() = default;
  StageItem(const StageItem&) = delete;
  StageItem& operator=(const StageItem&) = delete;

  std::size_t call_budget() const noexcept { return call_budget_; }

  /// Any thread: there is work for it, published before. True if the caller must queue it.
  bool schedule() noexcept {
    State state = state_.load(std::memory_order_relaxed);
    for (;;) {
      const State next = state == State::idle      ? State::queued
                         : state == State::running ? State::again
                                                   : state;
      // An exchange for the same value, too: what was published must be seen by who runs next.
      if (state_.compare_exchange_weak(state, next, std::memory_order_acq_rel)) {
        return state == State::idle;
      }
    }
  }

  // The queue that it is in:
  void begin(const StageTurn& turn) noexcept {
    [[maybe_unused]] const State was = state_.exchange(State::running, std::memory_order_acq_rel);
    TW_DASSERT(was == State::queued);
    call_begins(turn);
  }
  /// Handles one packet, or finds that there is none. False if the call has nothing more to do.
  virtual bool step(const StageTurn& turn) noexcept = 0;
  /// The call has nothing more to do. True if it was asked for meanwhile: it is queued again.
  bool end(const StageTurn& turn) noexcept {
    call_ends(turn);
    State state = State::running;
    if (state_.compare_exchange_strong(state, State::idle, std::memory_order_acq_rel)) return false;
    state_.store(State::queued, std::memory_order_release);
    return true;
  }
  /// The call has used up its budget: it is queued again.
  void interrupt(const StageTurn& turn) noexcept {
    call_ends(turn);
    state_.store(State::queued, std::memory_order_release);
  }

 protected:
  virtual void call_begins(const StageTurn& /*turn*/) noexcept {}
  virtual void call_ends(const StageTurn& /*turn*/) noexcept {}

 private:
  enum class State : std::uint8_t { idle, queued, running, again };

  const std::size_t call_budget_;
  std::atomic<State> state_{State::idle};
};

}  // namespace tw
