#include "steer/dispatch/service_worker.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace tw {

ServiceWorker::ServiceWorker(Settings settings, WorkClock& clock, WorkerEvents& events)
    : settings_(settings),
      clock_(clock),
      events_(events),
      ring_(settings.queue + reserved_for_marks),
      settled_(reserved_for_marks) {
  released_.reserve(settings.cores);
  for (std::size_t core = 0; core < settings.cores; ++core) {
    released_.push_back(std::make_unique<SpscRing<SlotBatch*>>(reserved_for_marks));
  }
}

bool ServiceWorker::push(WorkItem&& item) noexcept {
  const bool is_request = item.kind == WorkItem::Kind::request;
  if (is_request && ring_.size() >= settings_.queue) return false;
  if (!ring_.push(std::move(item))) return false;
  if (is_request) ++pushed_;
  return true;
}

bool ServiceWorker::has_room_for_marks(std::size_t count) const noexcept {
  return ring_.size() + count <= settings_.queue + reserved_for_marks;
}

QueueView ServiceWorker::view() const noexcept {
  const std::uint64_t taken = taken_.load(std::memory_order_acquire);
  return {
      .waiting = pushed_ - taken, .taken = taken, .busy = busy_.load(std::memory_order_relaxed)};
}

bool ServiceWorker::take_release() noexcept {
  SlotBatch* batch = nullptr;
  for (const auto& ring : released_) {
    if (!ring->pop(batch)) continue;
    release(*batch);
    return true;
  }
  return false;
}

// A release may come first: then none of these slots' requests is before the hold, which ends it.
void ServiceWorker::hold(SlotBatch& batch) noexcept {
  if (batch.is_released) return settle(batch);
  for (const Slot slot : batch.slots) is_held_[slot.value] = true;
  batch.is_holding = true;
}

void ServiceWorker::release(SlotBatch& batch) noexcept {
  if (!batch.is_holding) {
    batch.is_released = true;
    return;
  }
  for (const Slot slot : batch.slots) is_held_[slot.value] = false;
  // Requests that are held for other slots stay, in their order.
  const std::size_t count = held_.size();
  for (std::size_t number = 0; number < count; ++number) {
    const ServiceRequest request = held_.front();
    held_.pop_front();
    (is_held_[request.slot.value] ? held_ : ready_).push_back(request);
  }
  settle(batch);
}

void ServiceWorker::settle(SlotBatch& batch) noexcept {
  SlotBatch* arrived = &batch;
  const bool told = settled_.push(std::move(arrived));
  TW_ASSERT(told);  // the dispatcher has fewer batches than the ring has places
}

void ServiceWorker::serve(const ServiceRequest& request) noexcept {
  clock_.serve(request.service);
  events_.served(request, settings_.core, clock_.now());
}

void ServiceWorker::take(WorkItem& item) noexcept {
  switch (item.kind) {
    case WorkItem::Kind::hold:
      hold(*item.batch);
      break;
    case WorkItem::Kind::fence: {
      SlotBatch* batch = item.batch;
      const std::uint8_t to = batch->to;
      const bool told = others_[to]->released_[settings_.core]->push(std::move(batch));
      TW_ASSERT(told);  // as in settle()
      events_.released(settings_.core, to);
      break;
    }
    case WorkItem::Kind::request:
      taken_.fetch_add(1, std::memory_order_release);
      if (!is_held_[item.request.slot.value]) {
        serve(item.request);
      } else if (held_.size() < settings_.held) {
        held_.push_back(item.request);
      } else {
        hold_drops_.add();
      }
      break;
  }
}

// Before new requests go those that were held: they came first.
Work ServiceWorker::poll(Instant, std::size_t budget) noexcept {
  std::size_t handled = 0;
  busy_.store(true, std::memory_order_relaxed);
  while (handled < budget) {
    if (take_release()) {
      ++handled;
      continue;
    }
    if (!ready_.empty()) {
      const ServiceRequest request = ready_.front();
      ready_.pop_front();
      serve(request);
      ++handled;
      continue;
    }
    WorkItem item;
    if (!ring_.pop(item)) break;
    take(item);
    ++handled;
  }
  if (handled == 0) busy_.store(!held_.empty(), std::memory_order_relaxed);
  return Work::counted(handled, budget);
}

bool ServiceWorker::arm() noexcept {
  return ring_.empty() && ready_.empty() &&
         std::ranges::all_of(released_, [](const auto& ring) { return ring->empty(); });
}

}  // namespace tw
