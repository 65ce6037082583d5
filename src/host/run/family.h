// A process and all that it has started, as /proc shows them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace tw::host {

/// The process and its living descendants. Those whose parent has died are found while the nearest
/// subreaper (PR_SET_CHILD_SUBREAPER) above them is in the family.
std::vector<pid_t> family_of(pid_t process);
std::vector<pid_t> threads_of(pid_t process);
/// CPU time that a process has used, and those of its children that have ended and been waited for.
/// 0 if it is gone.
std::int64_t used_ms(pid_t process);

}  // namespace tw::host
