#include "lab/bed/interrupt.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

namespace tw::lab {
namespace {

sigset_t ending_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  return set;
}

/// Polls until something is readable or `timeout` has passed, whatever signals are handled.
int poll_all(std::span<pollfd> fds, Duration timeout) noexcept {
  const SystemClock clock;
  const Instant end = clock.now() + timeout;
  for (;;) {
    const timespec left = to_timespec(std::max(end - clock.now(), Duration::zero()));
    const int count = ppoll(fds.data(), fds.size(), &left, nullptr);
    if (count >= 0 || errno != EINTR) return count;
  }
}

}  // namespace

Result<Interrupt> Interrupt::watch() {
  const sigset_t set = ending_signals();
  sigset_t before;
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, &before); error != 0) {
    return system_error(error, "block signals");
  }
  UniqueFd fd{signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)};
  if (!fd) return system_error("signalfd");
  return Interrupt{std::move(fd), before};
}

Interrupt::Interrupt(Interrupt&& other) noexcept
    : fd_(std::move(other.fd_)), before_(other.before_), fired_(other.fired_) {}

Interrupt::~Interrupt() {
  if (!fd_) return;
  // A signal that came while we were tidying up must not kill us now.
  fired();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Interrupt::fired() noexcept {
  signalfd_siginfo signal;
  while (read(fd_.get(), &signal, sizeof signal) > 0) fired_ = true;
  return fired_;
}

bool Interrupt::pause(Duration duration) noexcept {
  if (fired()) return false;
  std::array<pollfd, 1> fds{{{.fd = fd(), .events = POLLIN, .revents = 0}}};
  poll_all(fds, duration);
  return !fired();
}

bool Interrupt::wait_readable(int fd, Duration timeout) noexcept {
  if (fired()) return false;
  std::array<pollfd, 2> fds{{{.fd = fd, .events = POLLIN, .revents = 0},
                             {.fd = fd_.get(), .events = POLLIN, .revents = 0}}};
  poll_all(fds, timeout);
  return fds[0].revents != 0 && !fired();
}

std::unexpected<Error> interrupted() { return make_error(Error::Kind::unavailable, "interrupted"); }

}  // namespace tw::lab
