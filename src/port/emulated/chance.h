// Draws whether something of a given probability happens, from an injected source.
#pragma once

#include "base/random.h"

namespace tw {

/// `chance` between 0 and 1. Always draws once, so that a run stays the same when a chance changes
/// from something to nothing. The 53 bits are what a double holds exactly.
inline bool draw(RandomSource& random, double chance) noexcept {
  return static_cast<double>(random.next() >> 11U) * 0x1p-53 < chance;
}

}  // namespace tw
