#include "exec/contexts/stage_queue.h"

namespace tw {

Work StageQueue::poll(Instant now, std::size_t budget) noexcept {
  const StageTurn turn{now, core_};
  std::size_t done = 0;
  for (; done < budget; ++done) {
    if (current_ == nullptr) {
      current_ = items_.pop();
      if (current_ == nullptr) break;
      steps_ = 0;
      current_->begin(turn);
    }
    const bool more = current_->step(turn);
    if (more && ++steps_ < current_->call_budget()) continue;
    StageItem& item = *current_;
    current_ = nullptr;
    if (more) {
      item.interrupt(turn);
      push(item);
    } else if (item.end(turn)) {
      push(item);
    }
  }
  return Work::counted(done, budget);
}

}  // namespace tw
