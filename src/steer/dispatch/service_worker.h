// A worker that serves requests one after the other, and carries out its part of a hand-over: an
// old owner releases slots when it has served all that came before, a new one holds requests until
// then and serves them first, in the order in which they came.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/counter.h"
#include "base/latency_histogram.h"
#include "base/spsc_ring.h"
#include "exec/context.h"
#include "steer/core_allocator.h"
#include "steer/dispatch/request.h"
#include "steer/dispatch/work_clock.h"

namespace tw {

/// A worker tells others these things, on its own context.
class WorkerEvents {
 public:
  virtual ~WorkerEvents() = default;
  virtual void served(const ServiceRequest& request, std::uint8_t core, Instant at) noexcept = 0;
  /// It has released slots to that worker, whose context may sleep.
  virtual void released(std::uint8_t from, std::uint8_t to) noexcept = 0;
};

class ServiceWorker final : public Poller {
 public:
  struct Settings {
    std::uint8_t core = 0;
    std::size_t cores = 1;
    std::size_t queue = 4096;  ///< requests that wait in its ring
    std::size_t held = 4096;   ///< requests that wait for their slot's state
  };
  /// `clock` and `events` must outlive it.
  ServiceWorker(Settings settings, WorkClock& clock, WorkerEvents& events);
  /// `others` by core, all workers and itself; before the first poll().
  void meet(std::vector<ServiceWorker*> others) { others_ = std::move(others); }

  // The dispatcher's side.
  /// False if the ring has no room. Marks may use some places that requests may not.
  bool push(WorkItem&& item) noexcept;
  /// True if so many marks fit.
  bool has_room_for_marks(std::size_t count) const noexcept;
  /// A batch that has arrived here; false if there is none.
  bool pop_settled(SlotBatch*& batch) noexcept { return settled_.pop(batch); }
  QueueView view() const noexcept;

  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return Instant::max(); }
  bool arm() noexcept override;

  std::uint64_t hold_drops() const noexcept { return hold_drops_.value(); }

 private:
  static constexpr std::size_t reserved_for_marks = 512;

  bool take_release() noexcept;
  void serve(const ServiceRequest& request) noexcept;
  void take(WorkItem& item) noexcept;
  void release(SlotBatch& batch) noexcept;
  void hold(SlotBatch& batch) noexcept;
  void settle(SlotBatch& batch) noexcept;

  const Settings settings_;
  WorkClock& clock_;
  WorkerEvents& events_;
  SpscRing<WorkItem> ring_;
  std::uint64_t pushed_ = 0;             // the dispatcher's
  std::atomic<std::uint64_t> taken_{0};  // requests that have left the ring
  std::atomic<bool> busy_{false};
  std::vector<ServiceWorker*> others_;
  std::vector<std::unique_ptr<SpscRing<SlotBatch*>>> released_;  // by old owner
  SpscRing<SlotBatch*> settled_;
  std::array<bool, Slot::count> is_held_{};
  std::deque<ServiceRequest> held_, ready_;
  Counter hold_drops_;
};

}  // namespace tw
