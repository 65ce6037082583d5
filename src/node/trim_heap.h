// The memory in which a large configuration was read and compared is freed in small pieces
// all over the heap, and the allocator keeps the pages. This gives them back.
#pragma once

#include <malloc.h>

namespace tw::node {

/// After a large change only: it takes some milliseconds, and whoever allocates meanwhile waits.
inline void trim_heap() noexcept { ::malloc_trim(0); }

}  // namespace tw::node
