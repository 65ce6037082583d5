// Simulated cores with threads of two priorities, as far as execution contexts need them. A thread
// runs a queue of stage items, one step at a time; what a step took is charged after it, and a
// thread of higher priority may run between two steps. Threads of normal priority share a core as
// Linux's scheduler has it since 6.6: whoever runs keeps the core for a slice, then the one that
// has run least is next, and a thread that wakes has neither credit nor debt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "exec/contexts/stage_queue.h"
#include "sim/contexts/stage_costs.h"
#include "sim/simulation.h"

namespace tw::sim {

/// A thread, as Cores schedules it.
struct StageThread {
  enum class Kind : std::uint8_t { above, pinned, free };

  StageThread(Kind its_kind, std::size_t its_core, std::size_t items)
      : kind(its_kind), core(its_core), queue(items) {}

  const Kind kind;
  std::size_t core;  ///< where it runs, or ran last
  StageQueue queue;
  bool runnable = false;
  std::int64_t ran_ns = 0;  ///< in the scheduler's reckoning: what it has had of its core
};

class Cores {
 public:
  /// `simulation` must outlive it.
  Cores(Simulation& simulation, std::size_t cores, const ThreadCosts& costs);

  std::size_t size() const noexcept { return cores_.size(); }
  /// A new thread; `items` may be in its queue.
  StageThread& add(StageThread::Kind kind, std::size_t core, std::size_t items);
  /// The thread has something to do. `from`: the core that wakes it, and pays; none: an interrupt.
  void wake(StageThread& thread, std::optional<std::size_t> from) noexcept;

  /// In a step that runs on that core: what it takes.
  void charge(std::size_t core, Duration cost) noexcept { cores_[core].charged += cost; }
  /// The time of a step that runs there, with what it has taken so far.
  Instant now_on(std::size_t core) const noexcept {
    return simulation_.now() + cores_[core].charged;
  }
  Duration busy(std::size_t core) const noexcept { return cores_[core].busy; }
  std::uint64_t migrations() const noexcept { return migrations_; }

 private:
  struct CoreState {
    StageThread* above = nullptr;
    std::vector<StageThread*> ready;  // of normal priority, without `current`
    StageThread* current = nullptr;   // of normal priority; stays when it sleeps
    StageThread* last = nullptr;      // that ran
    StageThread* last_normal = nullptr;
    bool awake = false;  // a turn is planned
    bool in_step = false;
    std::int64_t floor_ns = 0;  // the least that its threads have had; it never sinks
    Duration slice{};           // that `current` has had since it was chosen
    Duration charged{}, busy{};
  };

  void plan(std::size_t core, Instant when) noexcept;
  void turn(std::size_t core) noexcept;
  StageThread* choose(CoreState& core) noexcept;
  void account(CoreState& core, StageThread& thread, Duration took) noexcept;
  void place(StageThread& thread, std::optional<std::size_t> from) noexcept;

  Simulation& simulation_;
  const ThreadCosts costs_;
  std::vector<CoreState> cores_;
  std::vector<std::unique_ptr<StageThread>> threads_;
  std::uint64_t migrations_ = 0;
};

}  // namespace tw::sim
