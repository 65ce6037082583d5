// seccomp: which system calls a process may make from here on.
//
// Two lists. What a running node never has a use for and an intruder does (another program, another
// process's memory, mounts, modules, keys) kills the process at once, and the kernel's log names
// the call. What a node, its libraries and the sanitizers call is allowed, some of it only with
// arguments that they pass. All else fails with EPERM, is counted, and is said once on stderr by
// its number.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tw::node {

/// True if this kernel can filter system calls and kill a process, not a thread (Linux 4.14).
bool can_filter_calls() noexcept;

/// For the calling thread and all it will start. Needs no_new_privs. Installs a handler for SIGSYS,
/// which no thread may block: it makes an unlisted call fail where the kernel would end the
/// process.
Result<void> restrict_calls();

/// Returns how many calls that are on no list were made since restrict_calls().
std::uint64_t refused_calls() noexcept;

/// By name, for the test that makes them all.
std::span<const std::string_view> deadly_calls() noexcept;

}  // namespace tw::node
