// An execution context that is one thread: poll everything attached, then spin a little or park in
// epoll until a descriptor, a deadline, or a message.
//
// Parking is announced before the last look for work, and every waker announces its work before it
// looks whether the worker is parked: one of the two sees the other, so no wake-up is lost, and the
// eventfd is written (12 us of the waker's time) only when somebody sleeps.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "exec/context.h"
#include "exec/governor.h"

namespace tw {

struct WorkerSettings {
  ContextId id{};
  std::string name{};           ///< of the thread, at most 15 bytes
  int cpu = -1;                 ///< pin to this CPU; -1: wherever the kernel likes
  GovernorSettings governor{};  ///< spin or park; the default parks at once
  int fifo_priority = 0;        ///< SCHED_FIFO, 1 to 99, for emulated links; 0: ordinary
  /// Among ordinary threads: -20 (more of the CPU) to 19. What is not permitted is left at 0.
  int nice = 0;
  /// The time that it asks to run at once (100 us to 100 ms; Linux 6.12): a thread that asks for
  /// less is let in sooner, and has no more of the CPU for it. 0: the kernel's choice, some 3 ms.
  Duration slice = Duration::zero();
  std::size_t budget = 256;  ///< packets a poller may handle in one turn
  std::size_t mailbox_capacity = 1024;
};

/// The thread takes no signals, sleeps with a timer slack of 1 us, and runs once: from start() to
/// stop().
class Worker final : public ExecContext {
 public:
  /// `clock` must outlive the worker. Fails if descriptors have run out, or the name is too long.
  static Result<std::unique_ptr<Worker>> create(WorkerSettings settings, const Clock& clock);
  ~Worker() override;  ///< stop(), if that has not been done

  /// Fails if the thread cannot be made, not pinned to that CPU, or not given that priority.
  Result<void> start();
  /// Ends the loop and joins the thread. Messages still in the mailbox are run first; from then on
  /// post() refuses. If the worker was never started, they are destroyed unrun.
  void stop() noexcept;
  /// Runs `message` on the worker and returns when it has run. Never from the worker itself.
  /// False if the mailbox is full or the worker is not running.
  bool call(Message&& message) noexcept;

  ContextId id() const noexcept override;
  const Clock& clock() const noexcept override;
  Instant now() const noexcept override;
  const ContextCounters& counters() const noexcept override;
  /// Waits on the poller's descriptors, which must be ones that epoll takes, until detach().
  void attach(Poller& poller) override;
  void detach(Poller& poller) noexcept override;
  bool post(Message&& message) noexcept override;
  void wake() noexcept override;

  struct Loop;

 private:
  explicit Worker(std::unique_ptr<Loop> loop) noexcept;
  std::unique_ptr<Loop> loop_;
};

}  // namespace tw
