// A place in a batch of trains: what lies behind it waits for the next turn.
#pragma once

#include <cstddef>

namespace tw {

struct BatchPlace {
  std::size_t train = 0;    ///< the next one; all before it have been handled
  std::size_t segment = 0;  ///< its next one

  /// `count` more of the `segments` of this train have been handled.
  void advance(std::size_t count, std::size_t segments) noexcept {
    segment += count;
    if (segment < segments) return;
    segment = 0;
    ++train;
  }
};

}  // namespace tw
