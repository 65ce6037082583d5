// The work that a poll has done: contexts add it up, and poll again at once if there is more.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tw {

struct Work {
  std::size_t packets = 0;  ///< or whatever else the poller's budget counts
  std::uint64_t bytes = 0;  ///< of those packets; 0 where nobody counts them
  bool more = false;        ///< the budget has ended the poll: there may be more to do

  /// Returns the work of a poll that has stopped at its budget, or because it ran dry.
  static constexpr Work counted(std::size_t packets, std::size_t budget) noexcept {
    return {.packets = packets, .more = packets >= budget};
  }
  constexpr Work& operator+=(const Work& other) noexcept {
    packets += other.packets;
    bytes += other.bytes;
    more |= other.more;
    return *this;
  }
};

}  // namespace tw
