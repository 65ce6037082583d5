#include "exec/contexts/open_item.h"

#include <utility>

namespace tw {

// Once a packet, however many calls came between.
void OpenItem::note_preemption() noexcept {
  if (!preemptible_) return;
  const std::uint64_t calls = counters_.deliver_calls.value();
  if (std::exchange(calls_seen_, calls) != calls) counters_.preempted.add();
}

bool OpenItem::step(const StageTurn& turn) noexcept {
  if (held_ != nullptr) {
    StagedPacket& packet = *std::exchange(held_, nullptr);
    counters_.opened.add();
    work_.opened(turn);
    packet.since = turn.now;
    next_.publish(packet, turn);  // it may be gone from now on
    return !ring_.empty();
  }
  note_preemption();
  held_ = ring_.pop();
  if (held_ == nullptr) return false;
  counters_.open_wait.add(turn.now - held_->since);
  work_.open(*held_, turn);
  return true;
}

}  // namespace tw
