// One thread that gives each request to a worker, as Shenango's IOKernel does: it asks the policy,
// passes the request on over a ring, grants and reclaims cores, and starts the hand-over of the
// slots that move. It is the way to steer where the kernel cannot, and what all policies are
// compared on.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"
#include "exec/context.h"
#include "steer/core_allocator.h"
#include "steer/dispatch/request.h"
#include "steer/dispatch/service_worker.h"
#include "steer/dispatch/work_clock.h"
#include "steer/policy/policy.h"

namespace tw {

/// Where requests come from. Called on the dispatcher's context.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  /// False if none waits.
  virtual bool next(ServiceRequest& request) noexcept = 0;
};

/// The time of the dispatcher's steps, for a simulated core.
struct DispatchCosts {
  Duration request{};  ///< to receive it and pass it on
  Duration array_read{}, table_lookup{}, insertion{};
  Duration check{};      ///< of all queues
  Duration slot_move{};  ///< of one slot
};

/// The cores under a dispatcher: a worker, and the context that it runs on.
class WorkerCores {
 public:
  virtual ~WorkerCores() = default;
  /// The core is granted: its context polls from now on. Costs a wake-up.
  virtual void grant(std::uint8_t core) noexcept = 0;
  /// The core is reclaimed: its context sleeps when its worker has nothing left to do.
  virtual void reclaim(std::uint8_t core) noexcept = 0;
  /// Something has been pushed to that worker.
  virtual void notify(std::uint8_t core) noexcept = 0;
};

struct DispatchCounters {
  std::uint64_t requests = 0;
  std::uint64_t dropped = 0;  ///< the worker's ring was full
  std::uint64_t grants = 0, reclaims = 0;
  std::uint64_t slots_moved = 0;
};

class Dispatcher final : public Poller {
 public:
  struct Settings {
    AllocatorSettings allocator{};
    Duration rebalance_every = 10ms;
    DispatchCosts costs{};
  };
  /// All must outlive it. `active` is what the policy was made with.
  Dispatcher(Settings settings, SteeringPolicy& policy, std::vector<ServiceWorker*> workers,
             const CoreSet& active, RequestSource& source, WorkerCores& cores, WorkClock& clock);

  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return allocator_.next_check(); }

  const CoreSet& active() const noexcept { return active_; }
  const DispatchCounters& counters() const noexcept { return counters_; }

 private:
  // Two marks for each pair of workers, at most, for each of few changes at a time.
  static constexpr std::size_t most_moving = 256;

  void dispatch(ServiceRequest& request) noexcept;
  void check_cores(Instant now) noexcept;
  void change(const CoreSet& active, Instant now) noexcept;
  void hand_over(std::span<const SlotMove> moves) noexcept;
  void begin(SlotBatch& batch) noexcept;
  void take_settled(Instant now) noexcept;
  bool may_move() const noexcept;
  SlotBatch& batch_for(std::uint8_t from, std::uint8_t to);

  const Settings settings_;
  SteeringPolicy& policy_;
  const std::vector<ServiceWorker*> workers_;
  CoreSet active_;
  RequestSource& source_;
  WorkerCores& cores_;
  WorkClock& clock_;
  CoreAllocator allocator_;
  Instant next_rebalance_{};
  DispatchCounters counters_;
  std::vector<QueueView> views_;
  std::vector<std::unique_ptr<SlotBatch>> batches_;  // all there are
  std::vector<SlotBatch*> free_, begun_;
};

}  // namespace tw
