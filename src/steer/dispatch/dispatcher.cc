#include "steer/dispatch/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace tw {
namespace {

/// A packet's load, if nothing better is known: shares of it are what rebalancing compares.
constexpr Duration one_packet = 1us;

}  // namespace

Dispatcher::Dispatcher(Settings settings, SteeringPolicy& policy,
                       std::vector<ServiceWorker*> workers, const CoreSet& active,
                       RequestSource& source, WorkerCores& cores, WorkClock& clock)
    : settings_(settings),
      policy_(policy),
      workers_(std::move(workers)),
      active_(active),
      source_(source),
      cores_(cores),
      clock_(clock),
      allocator_(settings.allocator),
      views_(workers_.size()) {
  TW_ASSERT(!active.empty() && workers_.size() <= CoreSet::most);
  batches_.reserve(most_moving);
  free_.reserve(most_moving);
  for (std::size_t number = 0; number < most_moving; ++number) {
    batches_.push_back(std::make_unique<SlotBatch>());
    batches_.back()->slots.reserve(Slot::count / 4);
    free_.push_back(batches_.back().get());
  }
  begun_.reserve(most_moving);
}

Work Dispatcher::poll(Instant now, std::size_t budget) noexcept {
  take_settled(now);
  if (now >= allocator_.next_check()) check_cores(now);
  std::size_t handled = 0;
  ServiceRequest request;
  while (handled < budget && source_.next(request)) {
    dispatch(request);
    ++handled;
  }
  return Work::counted(handled, budget);
}

void Dispatcher::dispatch(ServiceRequest& request) noexcept {
  const DispatchCosts& costs = settings_.costs;
  const Steered steered = policy_.steer(request.hash);
  clock_.charge(costs.request + costs.array_read * steered.steps.array_reads +
                costs.table_lookup * steered.steps.table_lookups +
                costs.insertion * steered.steps.insertions);
  request.slot = steered.slot;
  policy_.add_load(request.hash, steered.slot, one_packet);
  // A slot on its way to a core that has just been reclaimed goes there first, all the same.
  if (policy_.activates_cores() && !active_.contains(steered.core)) {
    CoreSet active = active_;
    active.insert(steered.core);
    change(active, clock_.now());
  }
  ++counters_.requests;
  if (!workers_[steered.core]->push({.request = request})) {
    ++counters_.dropped;
    return;
  }
  cores_.notify(steered.core);
}

// While slots are on their way through rings that are full, nothing else moves.
bool Dispatcher::may_move() const noexcept {
  if (!policy_.keeps_order()) return true;
  const std::size_t pairs = workers_.size() * 2;
  return free_.size() >= pairs && std::ranges::all_of(workers_, [pairs](const auto* worker) {
           return worker->has_room_for_marks(pairs);
         });
}

void Dispatcher::check_cores(Instant now) noexcept {
  clock_.charge(settings_.costs.check);
  for (std::size_t core = 0; core < workers_.size(); ++core) views_[core] = workers_[core]->view();
  const CoreAllocator::Decision decision = allocator_.check(views_, active_, now);
  if (decision.grant && may_move()) {
    CoreSet active = active_;
    active.insert(*decision.grant);
    change(active, now);
  }
  if (decision.reclaim && may_move()) {
    CoreSet active = active_;
    active.erase(*decision.reclaim);
    change(active, now);
  }
  if (now < next_rebalance_ || !may_move()) return;
  next_rebalance_ = now + settings_.rebalance_every;
  hand_over(policy_.rebalance(now));
}

void Dispatcher::change(const CoreSet& active, Instant now) noexcept {
  const CoreSet before = std::exchange(active_, active);
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    const auto core = static_cast<std::uint8_t>(number);
    if (active.contains(core) && !before.contains(core)) {
      ++counters_.grants;
      cores_.grant(core);
    }
    if (!active.contains(core) && before.contains(core)) {
      ++counters_.reclaims;
      cores_.reclaim(core);
    }
  }
  hand_over(policy_.set_active(active, now));
}

SlotBatch& Dispatcher::batch_for(std::uint8_t from, std::uint8_t to) {
  for (SlotBatch* batch : begun_) {
    if (batch->from == from && batch->to == to) return *batch;
  }
  TW_ASSERT(!free_.empty());  // see may_move()
  SlotBatch* batch = free_.back();
  free_.pop_back();
  batch->from = from;
  batch->to = to;
  batch->slots.clear();
  batch->is_holding = batch->is_released = false;
  begun_.push_back(batch);
  return *batch;
}

void Dispatcher::hand_over(std::span<const SlotMove> moves) noexcept {
  begun_.clear();
  for (const SlotMove& move : moves) batch_for(move.from, move.to).slots.push_back(move.slot);
  counters_.slots_moved += moves.size();
  clock_.charge(settings_.costs.slot_move * static_cast<std::int64_t>(moves.size()));
  for (SlotBatch* batch : begun_) begin(*batch);
}

// The new owner hears first, so that it holds what comes; nothing of these slots follows the fence.
void Dispatcher::begin(SlotBatch& batch) noexcept {
  const bool held = workers_[batch.to]->push({.kind = WorkItem::Kind::hold, .batch = &batch});
  const bool fenced = workers_[batch.from]->push({.kind = WorkItem::Kind::fence, .batch = &batch});
  TW_ASSERT(held && fenced);  // see may_move()
  cores_.notify(batch.to);
  cores_.notify(batch.from);
}

void Dispatcher::take_settled(Instant now) noexcept {
  for (ServiceWorker* worker : workers_) {
    SlotBatch* batch = nullptr;
    while (may_move() && worker->pop_settled(batch)) {
      // The batch is read to its end before it is given to others.
      begun_.clear();
      for (const Slot slot : batch->slots) {
        const std::optional<SlotMove> next = policy_.settle(slot, now);
        if (!next) continue;
        ++counters_.slots_moved;
        batch_for(next->from, next->to).slots.push_back(next->slot);
      }
      for (SlotBatch* next : begun_) begin(*next);
      free_.push_back(batch);
    }
  }
}

}  // namespace tw
