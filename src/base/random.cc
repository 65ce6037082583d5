#include "base/random.h"

#include <sys/random.h>

#include "base/assert.h"

namespace tw {

std::uint64_t SystemRandom::next() noexcept {
  std::uint64_t value = 0;
  // Up to 256 bytes come whole once the kernel's pool is seeded, which it is before any of ours
  // runs.
  TW_ASSERT(::getrandom(&value, sizeof value, 0) == static_cast<ssize_t>(sizeof value));
  return value;
}

}  // namespace tw
