// Asks the other side of a connection, at once and without a byte of data, whether it still knows
// it: its kernel answers with an acknowledgement, whatever its window and whoever is busy there,
// and one that has been started anew with a reset.
#pragma once

#include <cstdint>

namespace tw::relay {

/// Segments that the socket has received, modulo 2^32: any answer changes it. 0 if it is not TCP.
std::uint32_t segments_received(int socket) noexcept;

/// The question leaves at once if neither side has ended (needs CAP_NET_ADMIN); else, with nothing
/// in flight, within a tick of the kernel's; else with the kernel's next retransmission. One that
/// is asked twice within 500 ms answers once (tcp_invalid_ratelimit). At most five system calls.
void ask_whether_alive(int socket) noexcept;

}  // namespace tw::relay
