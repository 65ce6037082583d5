#include "exec/manual_context.h"

#include <utility>

namespace tw {

ManualContext::ManualContext(ContextId id, const Clock& clock, std::size_t budget,
                             std::size_t mailbox_capacity)
    : id_(id), clock_(clock), budget_(budget), now_(clock.now()), mailbox_(mailbox_capacity) {}

std::size_t ManualContext::step() noexcept {
  now_ = clock_.now();
  woken_.store(false, std::memory_order_relaxed);
  std::size_t done = 0;
  // Messages that messages post are for the next turn, or one that posts itself would never end it.
  Message message;
  for (std::size_t waiting = mailbox_.size(); done < waiting && mailbox_.pop(message); ++done) {
    message();
    message = nullptr;
  }
  const Work work = pollers_.poll_all(now_, budget_);
  counters_.add(done, work);
  return done + work.packets;
}

bool ManualContext::run_until_idle(std::size_t turns) noexcept {
  for (; turns > 0; --turns) {
    if (step() > 0 || woken_.load(std::memory_order_relaxed)) continue;
    if (pollers_.next_deadline() > now_ && pollers_.arm_all()) return true;
  }
  return false;
}

Instant ManualContext::next_deadline() const noexcept {
  if (!mailbox_.empty() || woken_.load(std::memory_order_relaxed)) return now_;
  return pollers_.next_deadline();
}

void ManualContext::attach(Poller& poller) { pollers_.attach(poller); }
void ManualContext::detach(Poller& poller) noexcept { pollers_.detach(poller); }
bool ManualContext::post(Message&& message) noexcept { return mailbox_.push(std::move(message)); }
void ManualContext::wake() noexcept { woken_.store(true, std::memory_order_relaxed); }

}  // namespace tw
