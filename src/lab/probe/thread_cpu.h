// CPU time of threads of the load generator: a generator that is out of CPU measures itself.
#pragma once

#include "base/time.h"

namespace tw::lab {

struct CpuTime {
  Duration user = Duration::zero();
  Duration system = Duration::zero();
  Duration total() const noexcept { return user + system; }
};

/// CPU time of the calling thread so far (getrusage). On veth and loopback this includes the
/// kernel's work at the other end, up to the receiving socket or device.
CpuTime thread_cpu() noexcept;
/// Asks for the calling thread to be woken before all others, and exactly. Without the privilege
/// nothing happens. For threads that do next to nothing.
void raise_priority() noexcept;
/// Timers of the calling thread fire when they are due, not up to 50 µs later.
void sharpen_timers() noexcept;

}  // namespace tw::lab
