// Time is an argument. Everything below `exec` and `cli` is given its Instant and its WallTime;
// what reads a clock by itself cannot be replayed in virtual time, which makes it a bug.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <ctime>

namespace tw {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// For system calls. `duration` must not be negative: they would refuse it.
constexpr timespec to_timespec(Duration duration) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {.tv_sec = seconds.count(), .tv_nsec = (duration - seconds).count()};
}

/// A point on a clock that never steps back. Only differences mean anything.
class Instant {
 public:
  constexpr Instant() noexcept = default;
  constexpr explicit Instant(Duration since_origin) noexcept : since_origin_(since_origin) {}

  /// Later than every real instant: "no deadline".
  static constexpr Instant max() noexcept { return Instant{Duration::max()}; }
  constexpr Duration since_origin() const noexcept { return since_origin_; }

  /// Saturates at max(), so that "never" plus a delay stays "never".
  friend constexpr Instant operator+(Instant at, Duration delay) noexcept {
    if (delay > Duration::zero() && at.since_origin_ > Duration::max() - delay) return max();
    return Instant{at.since_origin_ + delay};
  }
  friend constexpr Instant operator-(Instant at, Duration delay) noexcept {
    return Instant{at.since_origin_ - delay};
  }
  friend constexpr Duration operator-(Instant later, Instant earlier) noexcept {
    return later.since_origin_ - earlier.since_origin_;
  }
  friend constexpr auto operator<=>(Instant, Instant) noexcept = default;

 private:
  Duration since_origin_{0};
};

/// Wall-clock time since 1970-01-01 UTC. It may step back: never measure with it.
struct WallTime {
  Duration since_epoch{0};
  friend constexpr auto operator<=>(WallTime, WallTime) noexcept = default;
};

/// Where time comes from: read once per loop by an execution context, then passed down.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const noexcept = 0;
  virtual WallTime wall() const noexcept = 0;
};

/// CLOCK_BOOTTIME and CLOCK_REALTIME of this machine: time in suspension counts (time.cc says why).
class SystemClock final : public Clock {
 public:
  Instant now() const noexcept override;
  WallTime wall() const noexcept override;
};

/// A clock that stands still until it is told to move: tests and simulation.
class ManualClock final : public Clock {
 public:
  Instant now() const noexcept override { return now_; }
  WallTime wall() const noexcept override { return wall_; }
  void advance(Duration by) noexcept {
    now_ = now_ + by;
    wall_.since_epoch += by;
  }
  /// Moves the wall clock alone, back or forth, as an administrator or NTP does.
  void set_wall(WallTime wall) noexcept { wall_ = wall; }

 private:
  Instant now_{Duration{1s}};
  WallTime wall_{Duration{1'700'000'000s}};
};

}  // namespace tw
