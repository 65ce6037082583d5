#include "sim/simulation.h"

#include <algorithm>

namespace tw::sim {

void Simulation::at(Instant when, Event event) {
  std::uint32_t place = 0;
  if (free_.empty()) {
    place = static_cast<std::uint32_t>(events_.size());
    events_.push_back(std::move(event));
  } else {
    place = free_.back();
    free_.pop_back();
    events_[place] = std::move(event);
  }
  due_.push({std::max(when, now_), made_++, place});
}

void Simulation::run_until(Instant end) {
  while (!due_.empty() && due_.top().when < end) {
    const Due next = due_.top();
    due_.pop();
    now_ = next.when;
    Event event = std::exchange(events_[next.place], nullptr);
    free_.push_back(next.place);
    event();
  }
  now_ = std::max(now_, end);
}

}  // namespace tw::sim
