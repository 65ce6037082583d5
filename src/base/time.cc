#include "base/time.h"

namespace tw {
namespace {

Duration read_clock(clockid_t clock) noexcept {
  timespec at{};
  ::clock_gettime(clock, &at);
  return std::chrono::seconds{at.tv_sec} + std::chrono::nanoseconds{at.tv_nsec};
}

}  // namespace

// CLOCK_MONOTONIC stands still while the machine is suspended: a laptop opened after an hour would
// take its keypairs for seconds old, send under keys that its peer has wiped, and find out after
// 15 s. Cookies, keepalives and idle connections age through it for the same reason. What measures
// work (a cipher's speed, a round trip) loses nothing: whoever is suspended measures nothing that
// holds.
//
// Durations that are handed to system calls (epoll, poll, sleep_for) stay the kernel's, which count
// without suspension. So a worker that sleeps for long sets an alarm on this clock
// (EpollSet::wait).
Instant SystemClock::now() const noexcept { return Instant{read_clock(CLOCK_BOOTTIME)}; }
WallTime SystemClock::wall() const noexcept { return WallTime{read_clock(CLOCK_REALTIME)}; }

}  // namespace tw
