// Limits how much one turn of a lane handles, of all its sources together: a context with other
// work waits for no more than a turn. A train that does not fit into what is left of a turn waits
// for the next one, as cutting it costs a system call more; only one that fits no turn is cut, and
// its rest waits in its buffer.
#pragma once

#include <algorithm>
#include <cstddef>

namespace tw::lane {

class TurnBudget {
 public:
  explicit TurnBudget(std::size_t total) noexcept : total_(total) {}

  /// Returns how many of `segments` that wait may be handled now, and counts them as handled. If
  /// they are fewer, perhaps none, the turn is over and there is more to do.
  std::size_t take(std::size_t segments) noexcept {
    std::size_t taken = segments;
    if (segments > left()) {
      taken = used_ == 0 ? total_ : 0;
      cut_ = true;
    }
    used_ += taken;
    return taken;
  }
  /// For what had to be handled with something else, be it too much.
  void charge(std::size_t segments) noexcept { used_ += segments; }

  std::size_t used() const noexcept { return used_; }
  std::size_t left() const noexcept { return total_ - std::min(used_, total_); }
  bool over() const noexcept { return cut_ || used_ >= total_; }

 private:
  std::size_t total_;
  std::size_t used_ = 0;
  bool cut_ = false;
};

/// A place in a batch of trains: all before it has been handled.
struct BatchPlace {
  std::size_t train = 0;    ///< the next one
  std::size_t segment = 0;  ///< its next one

  /// `count` more of the `segments` of this train have been handled.
  void advance(std::size_t count, std::size_t segments) noexcept {
    segment += count;
    if (segment < segments) return;
    segment = 0;
    ++train;
  }
};

}  // namespace tw::lane
