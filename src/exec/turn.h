// One turn of a poller: its time, and how much it may handle of all its sources together, so that a
// context with other work waits for no more than a turn. A train that does not fit into what is
// left of a turn waits for the next one, as cutting it costs a system call more; only one that fits
// no turn is cut, and its rest waits in its buffer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/time.h"
#include "exec/work.h"

namespace tw {

class Turn {
 public:
  /// `budget`: packets.
  Turn(Instant now, std::size_t budget) noexcept : now_(now), budget_(budget) {}
  /// Returns a turn without limits, for work that is no poll.
  static Turn unlimited(Instant now) noexcept {
    return {now, std::numeric_limits<std::size_t>::max()};
  }

  Instant now() const noexcept { return now_; }

  /// Returns how many of `packets` that wait may be handled now, and counts them as handled. If
  /// they are fewer, perhaps none, the turn is over and there is more to do.
  std::size_t take(std::size_t packets) noexcept {
    std::size_t taken = packets;
    if (packets > left()) {
      taken = used_ == 0 ? budget_ : 0;
      cut_ = true;
    }
    used_ += taken;
    return taken;
  }
  /// Counts packets that had to be handled with something else, be it too much.
  void charge(std::size_t packets) noexcept { used_ += packets; }
  /// Counts the bytes of packets that have been taken.
  void add_bytes(std::uint64_t bytes) noexcept { bytes_ += bytes; }

  std::size_t used() const noexcept { return used_; }
  std::size_t left() const noexcept { return budget_ - std::min(used_, budget_); }
  bool over() const noexcept { return cut_ || used_ >= budget_; }
  Work work() const noexcept { return {.packets = used_, .bytes = bytes_, .more = over()}; }

 private:
  Instant now_;
  std::size_t budget_;
  std::size_t used_ = 0;
  std::uint64_t bytes_ = 0;
  bool cut_ = false;
};

}  // namespace tw
