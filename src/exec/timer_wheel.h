// Timers by the hundred thousand: scheduling, cancelling and firing one each cost O(1), however
// many there are. A hierarchical wheel (Varghese and Lauck 1987, scheme 7): a timer waits in the
// level where its tick first differs from the present one, six bits a level, and moves down as its
// time comes nearer. A bitmap a level finds the next occupied slot without looking at the empty
// ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace tw {

/// Names one scheduled timer. Stale once it has fired or been cancelled: a later timer never
/// answers to the same name (until 2^32 timers have used the same slot).
struct TimerId {
  std::uint32_t slot = UINT32_MAX;
  std::uint32_t generation = 0;
  friend constexpr bool operator==(TimerId, TimerId) noexcept = default;
};

/// A timer fires in the first advance() at or after its instant rounded up to a whole tick: never
/// early, late by less than a tick. Among timers of different ticks, earlier ticks fire first;
/// within one tick the order is not promised.
///
///   limits   at most `capacity` timers; allocates once, in the constructor
///   cost     schedule and cancel O(1); advance O(timers fired + timers moved down), each timer
///            moves at most once a level
///   threads  none of its own: one context
class TimerWheel {
 public:
  using Cookie = std::uint64_t;  ///< the caller's own: an index, a pointer

  TimerWheel(std::size_t capacity, Duration tick, Instant now);

  /// Empty if `capacity` timers are waiting. An instant already past fires in the next advance().
  std::optional<TimerId> schedule(Instant at, Cookie cookie) noexcept;
  /// False if it has fired or been cancelled. Also from inside a visitor.
  bool cancel(TimerId id) noexcept;

  /// Calls visit(cookie) for every timer that is due at `now`, which must not step back, but for no
  /// more than `most`: the others are due in the next advance(). A visitor may schedule and cancel;
  /// what it schedules for `now` or before waits for the next advance(). Returns how many fired.
  template <typename Visitor>
  std::size_t advance(Instant now, Visitor&& visit, std::size_t most = SIZE_MAX) {
    begin(now);
    std::size_t fired = 0;
    for (Cookie cookie = 0; fired < most && pop(cookie); ++fired) visit(cookie);
    advancing_ = false;
    return fired;
  }

  /// When advance() must be called next: may be early (a timer then moves down a level), never
  /// later than the tick of the earliest timer. Instant::max() if there is none.
  Instant next_deadline() const noexcept;
  std::size_t size() const noexcept { return size_; }

 private:
  static constexpr unsigned bits_per_level = 6;
  static constexpr std::size_t slots_per_level = std::size_t{1} << bits_per_level;
  static constexpr std::size_t levels = 11;  // 66 bits: every 64-bit tick has its place
  static constexpr std::size_t firing_list = levels * slots_per_level;
  static constexpr std::size_t due_list = firing_list + 1;
  static constexpr std::size_t lists = due_list + 1;
  static constexpr std::uint32_t none = UINT32_MAX;

  struct Timer {
    std::uint64_t tick = 0;
    Cookie cookie = 0;
    std::uint32_t previous = none, next = none;
    std::uint32_t generation = 0;
    std::uint32_t list = none;  // none: free
  };
  struct Slot {
    std::size_t level, index;
    std::uint64_t begin;  // its first tick
  };

  std::uint64_t tick_at_or_after(Instant at) const noexcept;
  std::uint64_t tick_at_or_before(Instant at) const noexcept;
  Instant instant_of(std::uint64_t tick) const noexcept;
  void place(std::uint32_t index) noexcept;
  void link(std::uint32_t index, std::size_t list) noexcept;
  void unlink(std::uint32_t index) noexcept;
  void take_list(std::size_t from) noexcept;
  void begin(Instant now) noexcept;
  bool pop(Cookie& cookie) noexcept;
  std::optional<Slot> first_slot() const noexcept;

  const std::uint64_t tick_ns_;
  std::uint64_t present_;  // the tick up to which slots have been emptied
  std::uint64_t target_;   // the tick advance() goes to; equals present_ outside of it
  std::vector<Timer> timers_;
  std::uint32_t free_ = none;
  std::size_t size_ = 0;
  bool advancing_ = false;
  std::array<std::uint32_t, lists> heads_;
  std::array<std::uint64_t, levels> occupied_{};
};

}  // namespace tw
