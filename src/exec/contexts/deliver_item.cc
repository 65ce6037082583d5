#include "exec/contexts/deliver_item.h"

namespace tw {

/// The packet whose turn it is, if it may leave.
StagedPacket* DeliverItem::head() noexcept {
  if (head_ == nullptr && !packets_.pop(head_)) return nullptr;
  const bool waits = head_->state.load(std::memory_order_acquire) == StagedPacket::State::sealed;
  return waits ? nullptr : head_;
}

void DeliverItem::call_begins(const StageTurn& turn) noexcept {
  delivered_ = 0;
  counters_[turn.core].deliver_calls.add();
  work_.call_begins(flow_, turn);
}

bool DeliverItem::step(const StageTurn& turn) noexcept {
  StagedPacket* const packet = head();
  if (packet == nullptr) return false;
  head_ = nullptr;
  if (packet->state.load(std::memory_order_relaxed) == StagedPacket::State::dead) {
    work_.discard(*packet, turn);
  } else {
    StageCounters& counters = counters_[turn.core];
    counters.delivered.add();
    counters.deliver_wait.add(turn.now - packet->since);
    work_.deliver(*packet, delivered_, turn);
    ++delivered_;
  }
  return head() != nullptr;
}

void DeliverItem::call_ends(const StageTurn& turn) noexcept {
  StageCounters& counters = counters_[turn.core];
  if (delivered_ == 0) counters.deliver_empty.add();
  counters.call_sizes.add(delivered_);
  work_.call_ends(flow_, delivered_, turn);
}

}  // namespace tw
