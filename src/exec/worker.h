// An execution context that is one thread: poll everything attached, then spin a little or park in
// epoll until a descriptor, a deadline, or a message.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "exec/context.h"

namespace tw {

struct WorkerSettings {
  ContextId id;
  std::string name;                   ///< of the thread, at most 15 bytes
  int cpu = -1;                       ///< pin to this CPU; -1: wherever the kernel likes
  Duration spin = Duration::zero();   ///< poll on for this long after the last work, then park
  std::size_t budget = 256;           ///< packets a poller may handle in one turn
  std::size_t mailbox_capacity = 1024;
};

class Worker final : public ExecContext {
 public:
  static Result<std::unique_ptr<Worker>> create(WorkerSettings settings, const Clock& clock);
  ~Worker() override;  ///< stop(), if that has not been done

  Result<void> start();
  /// Ends the loop and joins the thread. Messages still in the mailbox are run first.
  void stop() noexcept;
  /// Runs `message` on the worker and returns when it has run. Never from the worker itself.
  /// False if the mailbox is full or the worker is not running.
  bool call(Message&& message) noexcept;

  ContextId id() const noexcept override;
  const Clock& clock() const noexcept override;
  Instant now() const noexcept override;
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
