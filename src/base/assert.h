// Assertions for programmer's errors: always on, they abort. The only macros of the project.
//
// No assertion may depend on bytes that came from outside: that would be a remote kill.
#pragma once

namespace tw {

/// Prints the failed condition with its place to stderr and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace tw

#define TW_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::tw::assertion_failed(#condition, __FILE__, __LINE__))

/// For loops over bytes, where the check would cost as much as the work.
#ifdef NDEBUG
#define TW_DASSERT(condition) static_cast<void>(sizeof(condition))
#else
#define TW_DASSERT(condition) TW_ASSERT(condition)
#endif
