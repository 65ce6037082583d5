// A simulated core: an execution context in virtual time. A turn of its pollers has a budget of
// one; what it took is charged after it, and the next turn is that much later. A core without work
// spins, or is parked; a parked one takes a wake-up, which costs whoever wakes it, too.
#pragma once

#include <cstdint>

#include "exec/context.h"
#include "exec/mailbox.h"
#include "exec/poller_list.h"
#include "sim/simulation.h"
#include "steer/dispatch/work_clock.h"

namespace tw::sim {

struct CoreCosts {
  Duration notice{};      ///< until a spinning core sees what has come
  Duration wake_up{};     ///< until a parked core runs
  Duration wake_other{};  ///< of the waker's time
  /// A turn that found nothing, and the least that any takes.
  Duration empty_turn{1ns};
};

class Core final : public ExecContext, public WorkClock {
 public:
  /// `simulation` must outlive it.
  Core(Simulation& simulation, ContextId id, CoreCosts costs);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  /// Lets it park when it has nothing to do, or else spin.
  void set_parks(bool parks) noexcept;
  bool is_parked() const noexcept { return state_ == State::parked; }
  /// Time in which it did what its pollers are for.
  Duration busy() const noexcept { return busy_; }
  /// Time in which it was parked, and free for other programs.
  Duration parked() const noexcept;

  ContextId id() const noexcept override { return id_; }
  const Clock& clock() const noexcept override { return simulation_; }
  Instant now() const noexcept override { return turn_began_ + charged_; }
  const ContextCounters& counters() const noexcept override { return counters_; }
  void attach(Poller& poller) override;
  void detach(Poller& poller) noexcept override;
  bool post(Message&& message) noexcept override;
  void wake() noexcept override;
  /// As wake(), by another core: it pays for waking one that is parked.
  void wake_by(Core& waker) noexcept;

  void serve(Duration work) noexcept override { charged_ += work; }
  void charge(Duration cost) noexcept override { charged_ += cost; }

 private:
  enum class State : std::uint8_t { spinning, parked, running };

  void run_at(Instant when) noexcept;
  void wake_at(Instant when) noexcept;
  void turn() noexcept;
  void rest() noexcept;

  Simulation& simulation_;
  const ContextId id_;
  const CoreCosts costs_;
  PollerList pollers_;
  ContextCounters counters_;
  Mailbox mailbox_;
  State state_ = State::spinning;
  bool parks_ = false;
  std::uint64_t turn_number_ = 0;  // of the one that is due; others that were planned are void
  Instant turn_began_{}, parked_since_{};
  Duration charged_{}, busy_{}, parked_{};
};

}  // namespace tw::sim
