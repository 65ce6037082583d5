// Time as work takes it: on a real core it passes by itself, on a simulated one it is charged.
#pragma once

#include "base/time.h"

namespace tw {

class WorkClock {
 public:
  virtual ~WorkClock() = default;
  /// Now, with what this turn has taken so far.
  virtual Instant now() const noexcept = 0;
  /// Does work that takes so long: spins on a real core.
  virtual void serve(Duration work) noexcept = 0;
  /// Adds the time that the steps just made take by measurement. On a real core it has passed.
  virtual void charge(Duration cost) noexcept = 0;
};

}  // namespace tw
