// An execution context without a thread: it runs when step() says so, on whatever clock it is
// given. Tests and simulation drive it in virtual time; every run with the same inputs is the same.
#pragma once

#include <atomic>
#include <cstddef>

#include "exec/context.h"
#include "exec/mailbox.h"
#include "exec/poller_list.h"

namespace tw {

class ManualContext final : public ExecContext {
 public:
  /// `clock` must outlive the context. `budget`: packets a poller may handle in one turn.
  ManualContext(ContextId id, const Clock& clock, std::size_t budget = 256,
                std::size_t mailbox_capacity = 1024);

  /// One turn: reads the clock, runs the messages that were there, polls each poller once in the
  /// order they were attached. Returns messages run and packets handled together.
  std::size_t step() noexcept;
  /// step() until a turn does nothing and nobody has work; false if `turns` were not enough.
  bool run_until_idle(std::size_t turns = 1000) noexcept;
  /// When the context wants to run again though nothing happens; Instant::max() if never. Not
  /// later than now if there is work already.
  Instant next_deadline() const noexcept;

  ContextId id() const noexcept override { return id_; }
  const Clock& clock() const noexcept override { return clock_; }
  Instant now() const noexcept override { return now_; }
  const ContextCounters& counters() const noexcept override { return counters_; }
  void attach(Poller& poller) override;
  void detach(Poller& poller) noexcept override;
  bool post(Message&& message) noexcept override;
  void wake() noexcept override;

 private:
  const ContextId id_;
  const Clock& clock_;
  const std::size_t budget_;
  Instant now_;
  Mailbox mailbox_;
  PollerList pollers_;
  ContextCounters counters_;
  std::atomic<bool> woken_{false};
};

}  // namespace tw
