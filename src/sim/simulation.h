// Virtual time: events in their order, and a clock that jumps from one to the next. Two events of
// one moment happen in the order in which they were made, so that a seed always plays the same.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "base/time.h"

namespace tw::sim {

class Simulation final : public Clock {
 public:
  using Event = std::move_only_function<void()>;

  Instant now() const noexcept override { return now_; }
  /// Virtual time begins at the same wall time always.
  WallTime wall() const noexcept override { return {now_.since_origin() + 1'700'000'000s}; }

  /// `event` happens at that time; now, if the time has passed.
  void at(Instant when, Event event);
  /// All events before `end` happen; then it is `end`.
  void run_until(Instant end);

 private:
  struct Due {
    Instant when;
    std::uint64_t number;
    std::uint32_t place;  // in events_
    bool operator>(const Due& other) const noexcept {
      return std::pair{when, number} > std::pair{other.when, other.number};
    }
  };

  Instant now_{};
  std::uint64_t made_ = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::vector<Event> events_;
  std::vector<std::uint32_t> free_;
};

}  // namespace tw::sim
