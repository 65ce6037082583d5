// The UDP receive buffers of a program that is not ours to configure.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "base/result.h"

namespace tw::lab {

/// Sets the receive buffer of every UDP socket that process `pid` has open now to `bytes` (the
/// kernel keeps twice that), beyond net.core.rmem_max too. The sockets are reached through
/// pidfd_getfd(2), Linux 5.6 on, and stay the process's own; those it opens later are not changed.
/// Returns how many there were; 0 if it has none yet. Fails if it has gone, or without privilege.
Result<std::size_t> set_udp_receive_buffers(pid_t pid, std::size_t bytes);

}  // namespace tw::lab
