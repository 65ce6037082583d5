// The descriptors a worker sleeps on, each counted: two pollers may wait on the same one.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"

namespace tw {

class EpollSet {
 public:
  /// An empty set with an eventfd and a timer of its own. Fails if descriptors have run out.
  static Result<EpollSet> open();

  /// Level-triggered, for reading. A descriptor that epoll refuses is a programmer's error.
  void add(std::span<const int> fds);
  void remove(std::span<const int> fds) noexcept;

  /// Sleeps until a descriptor is readable, ring() is called, or `timeout` is over (max: never).
  /// Zero looks without sleeping. May return early for nothing: callers look at their deadlines
  /// again.
  ///
  /// A sleep below unaided_sleep is exact to the nanosecond where the kernel can be (5.11), and
  /// sets a timer of the kernel's each time: two writes to the CPU's timer, which a hypervisor
  /// traps. A longer one uses one timer for many sleeps. Its time in suspension counts, as in
  /// SystemClock: what was due meanwhile is done as soon as the machine is awake.
  void wait(Duration timeout) noexcept;
  /// Any thread: ends wait(), or the next one.
  void ring() noexcept;

  static constexpr Duration unaided_sleep = 20ms;

 private:
  struct Watched {
    int fd;
    int users;
    int fruitless;  // wake-ups in a row by an error or hang-up alone
  };
  EpollSet(UniqueFd epoll, UniqueFd wake_event, UniqueFd alarm) noexcept
      : epoll_(std::move(epoll)), wake_event_(std::move(wake_event)), alarm_(std::move(alarm)) {}
  void keep_alarm(Duration timeout) noexcept;
  void silence_if_dead(int fd, unsigned events) noexcept;

  UniqueFd epoll_;
  UniqueFd wake_event_;
  UniqueFd alarm_;
  Instant alarm_at_{};  // past: it is not set
  std::vector<Watched> watched_;
};

}  // namespace tw
