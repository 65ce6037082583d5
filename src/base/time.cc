#include "base/time.h"

namespace tw {
namespace {

Duration read_clock(clockid_t clock) noexcept {
  timespec at{};
  ::clock_gettime(clock, &at);
  return std::chrono::seconds{at.tv_sec} + std::chrono::nanoseconds{at.tv_nsec};
}

}  // namespace

Instant SystemClock::now() const noexcept { return Instant{read_clock(CLOCK_MONOTONIC)}; }
WallTime SystemClock::wall() const noexcept { return WallTime{read_clock(CLOCK_REALTIME)}; }

}  // namespace tw
