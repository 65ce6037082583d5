#include "relay/stream/connection_table.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace tw::relay {

ConnectionTable::ConnectionTable(std::size_t capacity)
    : capacity_(std::max<std::size_t>(capacity, 1)),
      timers_(std::make_unique<TimerWheel>(capacity_, tick, Instant{})) {}

void ConnectionTable::set_capacity(std::size_t capacity) {
  capacity_ = std::max<std::size_t>(capacity, 1);
  // Not below what is there: each has a timer.
  timers_ = std::make_unique<TimerWheel>(std::max(capacity_, slots_.size()), tick, Instant{});
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    Slot& slot = slots_[index];
    if (slot.timer) slot.timer = timers_->schedule(slot.watched, index);
  }
}

ConnectionId ConnectionTable::add(Connection connection) {
  TW_ASSERT(!full());
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back(slab_);
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  void* const memory = slab_.take();
  TW_ASSERT(memory != nullptr);  // as any other allocation that fails
  slot.connection.reset(std::construct_at(static_cast<Connection*>(memory), std::move(connection)));
  ++size_;
  return {index, slot.generation};
}

Connection* ConnectionTable::find(ConnectionId id) noexcept {
  if (id.index >= slots_.size() || slots_[id.index].generation != id.generation) return nullptr;
  return slots_[id.index].connection.get();
}

// Its place in the queue stays until its turn has come, and is passed over then.
void ConnectionTable::remove(ConnectionId id) noexcept {
  if (find(id) == nullptr) return;
  Slot& slot = slots_[id.index];
  if (slot.timer) timers_->cancel(*slot.timer);
  slot.timer.reset();
  slot.connection.reset();
  slot.apart = false;
  slot.generation = slot.generation == INT32_MAX ? 1 : slot.generation + 1;
  free_.push_back(id.index);
  --size_;
}

void ConnectionTable::make_runnable(ConnectionId id) {
  if (find(id) == nullptr || slots_[id.index].apart) return;
  slots_[id.index].queued_generation = id.generation;
  if (std::exchange(slots_[id.index].queued, true)) return;
  slots_[id.index].queued_next = no_slot;
  (first_queued_ == no_slot ? first_queued_ : slots_[last_queued_].queued_next) = id.index;
  last_queued_ = id.index;
}

void ConnectionTable::set_apart(ConnectionId id) {
  if (find(id) == nullptr || std::exchange(slots_[id.index].apart, true)) return;
  apart_.push_back(id);
}

void ConnectionTable::take_all_back() {
  for (const ConnectionId id : apart_) {
    if (find(id) == nullptr) continue;
    slots_[id.index].apart = false;
    make_runnable(id);
  }
  apart_.clear();
}

std::optional<ConnectionId> ConnectionTable::next_runnable() noexcept {
  while (first_queued_ != no_slot) {
    const std::uint32_t index = first_queued_;
    Slot& slot = slots_[index];
    first_queued_ = slot.queued_next;
    slot.queued = false;
    if (slot.connection && slot.queued_generation == slot.generation) {
      return ConnectionId{index, slot.generation};
    }
  }
  return std::nullopt;
}

void ConnectionTable::watch(ConnectionId id, Instant deadline) noexcept {
  if (find(id) == nullptr || deadline == Instant::max()) return;
  Slot& slot = slots_[id.index];
  if (slot.timer) {
    if (slot.watched <= deadline) return;
    timers_->cancel(*slot.timer);
  }
  slot.watched = deadline;
  slot.timer = timers_->schedule(deadline, id.index);
  TW_ASSERT(slot.timer.has_value());  // one for each connection there may be
}

}  // namespace tw::relay
