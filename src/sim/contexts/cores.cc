#include "sim/contexts/cores.h"

#include <algorithm>
#include <utility>

namespace tw::sim {
namespace {

/// Linux's scheduler since 6.6 (EEVDF) on 8 cores or more: base_slice_ns. With rules of older ones
/// other contexts come out ahead (docs/contexts.md).
constexpr Duration slice = 3ms;

}  // namespace

Cores::Cores(Simulation& simulation, std::size_t cores, const ThreadCosts& costs)
    : simulation_(simulation), costs_(costs), cores_(cores) {}

StageThread& Cores::add(StageThread::Kind kind, std::size_t core, std::size_t items) {
  threads_.push_back(std::make_unique<StageThread>(kind, core, items));
  StageThread& thread = *threads_.back();
  thread.queue.run_on(core);
  if (kind == StageThread::Kind::above) cores_[core].above = &thread;
  return thread;
}

void Cores::plan(std::size_t core, Instant when) noexcept {
  cores_[core].awake = true;
  simulation_.at(when, [this, core] { turn(core); });
}

// A thread that may run anywhere stays where it was if that core sleeps, or else goes to one that
// does, or to the one that wakes it if fewer wait there.
void Cores::place(StageThread& thread, std::optional<std::size_t> from) noexcept {
  if (thread.kind != StageThread::Kind::free || !cores_[thread.core].awake) return;
  std::size_t to = thread.core;
  const std::size_t first = from.value_or(thread.core);
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    const std::size_t core = (first + i) % cores_.size();
    if (cores_[core].awake) continue;
    to = core;
    break;
  }
  if (to == thread.core && cores_[first].ready.size() < cores_[to].ready.size()) to = first;
  if (to == thread.core) return;
  CoreState& before = cores_[thread.core];
  if (before.current == &thread) before.current = nullptr;
  thread.ran_ns += cores_[to].floor_ns - before.floor_ns;
  thread.core = to;
  thread.queue.run_on(to);
  cores_[to].charged += costs_.migration;  // with its next step there
  ++migrations_;
}

void Cores::wake(StageThread& thread, std::optional<std::size_t> from) noexcept {
  if (thread.runnable) return;
  // A thread that asks for itself in its own step sees it at the step's end.
  CoreState& its = cores_[thread.core];
  if (its.in_step && its.last == &thread) return;
  place(thread, from);
  CoreState& core = cores_[thread.core];
  thread.runnable = true;
  if (thread.kind != StageThread::Kind::above) {
    thread.ran_ns = std::max(thread.ran_ns, core.floor_ns);
    if (core.current != &thread) core.ready.push_back(&thread);
  }
  if (from) charge(*from, core.awake ? costs_.wake_same : costs_.wake_other);
  if (core.awake) return;
  plan(thread.core,
       (from ? now_on(*from) : simulation_.now()) + (from ? costs_.wake_up : costs_.interrupt));
}

StageThread* Cores::choose(CoreState& core) noexcept {
  if (core.above != nullptr && core.above->runnable) return core.above;
  const auto least = std::ranges::min_element(core.ready, {}, &StageThread::ran_ns);
  StageThread* const current = core.current;
  if (current != nullptr && current->runnable) {
    if (least == core.ready.end()) return current;
    const std::int64_t ahead = current->ran_ns - (*least)->ran_ns;
    if (ahead <= 0 || core.slice < slice) return current;
    core.current = std::exchange(*least, current);
  } else {
    if (least == core.ready.end()) return nullptr;
    core.current = *least;
    *least = core.ready.back();
    core.ready.pop_back();
  }
  core.slice = {};
  return core.current;
}

void Cores::turn(std::size_t number) noexcept {
  CoreState& core = cores_[number];
  StageThread* const thread = choose(core);
  if (thread == nullptr) {
    core.awake = false;
    return;
  }
  const bool is_above = thread->kind == StageThread::Kind::above;
  if (is_above && core.last != thread) core.charged += costs_.switch_above;
  if (!is_above && std::exchange(core.last_normal, thread) != thread) {
    core.charged += costs_.switch_thread;
  }
  core.last = thread;
  core.in_step = true;
  thread->queue.poll(simulation_.now(), 1);
  core.in_step = false;
  thread->runnable = !thread->queue.empty();
  const Duration took = std::max(std::exchange(core.charged, Duration::zero()), 1ns);
  core.busy += took;
  if (!is_above) account(core, *thread, took);
  plan(number, simulation_.now() + took);
}

void Cores::account(CoreState& core, StageThread& thread, Duration took) noexcept {
  thread.ran_ns += took.count();
  core.slice += took;
  std::int64_t least = thread.ran_ns;
  for (const StageThread* other : core.ready) least = std::min(least, other->ran_ns);
  core.floor_ns = std::max(core.floor_ns, least);
}

}  // namespace tw::sim
