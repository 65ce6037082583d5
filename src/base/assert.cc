#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace tw {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "thalweg: assertion failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace tw
