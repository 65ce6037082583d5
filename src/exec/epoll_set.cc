#include "exec/epoll_set.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>

#include "base/assert.h"
#include "base/log.h"

namespace tw {
namespace {

constexpr int events_per_wait = 16;
// A device that is gone reports an error for ever. After so many wake-ups that brought nothing but
// that, waiting on it would only burn the CPU.
constexpr int fruitless_limit = 100;

int to_milliseconds(Duration timeout) noexcept {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return static_cast<int>(std::min<std::int64_t>(ms, 1'000'000));
}

int wait_for_events(int epoll, std::span<epoll_event> events, Duration timeout) noexcept {
  const int capacity = static_cast<int>(events.size());
  if (timeout == Duration::max()) return ::epoll_wait(epoll, events.data(), capacity, -1);
  const timespec precise = to_timespec(timeout);
  const int count = ::epoll_pwait2(epoll, events.data(), capacity, &precise, nullptr);
  if (count >= 0 || errno != ENOSYS) return count;
  return ::epoll_wait(epoll, events.data(), capacity, to_milliseconds(timeout));
}

}  // namespace

Result<EpollSet> EpollSet::open() {
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) return system_error("epoll_create1");
  UniqueFd wake_event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!wake_event) return system_error("eventfd");
  UniqueFd alarm{::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
  if (!alarm) return system_error("timerfd_create");
  EpollSet set{std::move(epoll), std::move(wake_event), std::move(alarm)};
  set.add(std::array{set.wake_event_.get(), set.alarm_.get()});
  return set;
}

void EpollSet::add(std::span<const int> fds) {
  for (const int fd : fds) {
    const auto known = std::ranges::find(watched_, fd, &Watched::fd);
    if (known != watched_.end()) {
      ++known->users;
      continue;
    }
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    TW_ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
    watched_.push_back({fd, 1, 0});
  }
}

void EpollSet::remove(std::span<const int> fds) noexcept {
  for (const int fd : fds) {
    const auto known = std::ranges::find(watched_, fd, &Watched::fd);
    TW_ASSERT(known != watched_.end());
    if (--known->users > 0) continue;
    // Fails if its owner has closed it already, or silence_if_dead() has removed it: then it is
    // out.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    watched_.erase(known);
  }
}

// Sets the alarm only if it would go off too late, or has gone off. Under traffic a worker sleeps
// some thousand times before its deadline comes, which moves away all the while: setting it each
// time would cost more than the one sleep in vain.
void EpollSet::keep_alarm(Duration timeout) noexcept {
  const Instant now = SystemClock{}.now();
  const Instant due = now + timeout;
  if (now < alarm_at_ && alarm_at_ <= due) return;
  const itimerspec when{.it_interval = {}, .it_value = to_timespec(timeout)};
  ::timerfd_settime(alarm_.get(), 0, &when, nullptr);
  alarm_at_ = due;
}

void EpollSet::wait(Duration timeout) noexcept {
  if (timeout > unaided_sleep && timeout != Duration::max()) {
    keep_alarm(timeout);
    timeout = Duration::max();
  }
  std::array<epoll_event, events_per_wait> events;
  const int count = wait_for_events(epoll_.get(), events, std::max(timeout, Duration::zero()));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wake_event_.get() || event.data.fd == alarm_.get()) {
      std::uint64_t rung = 0;
      [[maybe_unused]] const ssize_t read = ::read(event.data.fd, &rung, sizeof rung);
    } else {
      silence_if_dead(event.data.fd, event.events);
    }
  }
}

// A socket's pending error is cleared by its poller's next read; only a dead device keeps it.
void EpollSet::silence_if_dead(int fd, unsigned events) noexcept {
  const auto known = std::ranges::find(watched_, fd, &Watched::fd);
  if (known == watched_.end()) return;
  if ((events & EPOLLIN) != 0) {
    known->fruitless = 0;
  } else if (++known->fruitless == fruitless_limit) {
    log::warning("descriptor {} reports nothing but errors: no longer waiting on it", fd);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
}

void EpollSet::ring() noexcept {
  const std::uint64_t one = 1;
  // Fails only if it is rung already.
  [[maybe_unused]] const ssize_t written = ::write(wake_event_.get(), &one, sizeof one);
}

}  // namespace tw
