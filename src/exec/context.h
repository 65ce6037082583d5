// Gives pollers time: a pinned busy-polling thread, an epoll loop that sleeps, or a simulated core.
// Steering, lanes and timers run unchanged on all three.
#pragma once

#include <cstdint>
#include <functional>

#include "base/counter.h"
#include "base/time.h"
#include "exec/poller.h"

namespace tw {

struct ContextId {
  std::uint16_t value = 0;
  friend constexpr auto operator<=>(ContextId, ContextId) noexcept = default;
};

/// Work handed to a context, which runs it between two polls. Control plane only: what goes between
/// contexts per packet goes through rings of plain values.
using Message = std::move_only_function<void() noexcept>;

/// The work that a context has done since it was made. Any thread may read.
struct ContextCounters {
  Counter turns;  ///< in which anything was done
  Counter messages;
  Counter packets, bytes;  ///< as its pollers count them (exec/work.h)

  /// On the context only.
  void add(std::size_t messages_run, const Work& work) noexcept {
    if (messages_run == 0 && work.packets == 0) return;
    turns.add();
    messages.add(messages_run);
    packets.add(work.packets);
    bytes.add(work.bytes);
  }
};

class ExecContext {
 public:
  virtual ~ExecContext() = default;
  virtual ContextId id() const noexcept = 0;
  virtual const Clock& clock() const noexcept = 0;
  virtual Instant now() const noexcept = 0;  ///< read once per loop, then passed down
  virtual const ContextCounters& counters() const noexcept = 0;
  /// From this context, or by message, or before the context runs. The poller must outlive it.
  virtual void attach(Poller& poller) = 0;
  /// Returns when the poller will not run again here. Same callers as attach().
  virtual void detach(Poller& poller) noexcept = 0;
  /// Any thread. False, and `message` untouched, if the mailbox is full.
  virtual bool post(Message&& message) noexcept = 0;
  /// Any thread: makes a sleeping context poll. Cheap if it is awake.
  virtual void wake() noexcept = 0;
};

}  // namespace tw
