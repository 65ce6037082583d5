// Sets how much a socket's other side may send before its bytes are taken: the receive buffer, and
// the window that TCP offers of it. "Memory" is the kernel's sk_rcvbuf: bytes of packets with their
// bookkeeping; the window is a half to nine tenths of it.
//
// TCP never takes back what it has offered, and the scale of all windows is fixed by the SYN. So a
// leg is born with the scale of a long path and a small window, which is opened when somebody is
// there to take what comes: by TCP_REPAIR_WINDOW (CAP_NET_ADMIN), because the kernel itself opens a
// window no faster than data come.
#pragma once

#include <cstdint>

namespace tw::relay {

/// A leg that nobody has claimed: an SSH banner fits, a download does not.
inline constexpr std::uint32_t held_memory = 16U << 10U;
/// Whoever sees a window that is not larger takes the leg for an unclaimed one. No leg that is open
/// offers so little, because of open_memory_least.
inline constexpr std::uint32_t held_window_most = 32U << 10U;
inline constexpr std::uint32_t open_memory_least = 256U << 10U;
/// A leg of another PoP's as it is accepted: uploads begin with that, and grow as they are drained.
inline constexpr std::uint32_t accepted_memory = 1U << 20U;
/// A server's connection that nobody has claimed: an initial window (RFC 6928) fits.
inline constexpr std::uint32_t unclaimed_memory = 32U << 10U;
/// Bytes in a send buffer that TCP has not sent yet: more is not taken from the source meanwhile.
/// A leg has twice as much, since it is faster: half of it is 8 ms of 2 Gbps, in which the relay
/// has its turn.
inline constexpr std::uint32_t unsent_most = 2U << 20U, unsent_of_leg = 4U << 20U;
inline constexpr std::uint32_t unsent_unclaimed = 4U << 10U;

/// Right after connect(), or after accept() and before the first byte: the window is small,
/// whatever its scale. False: the answer to the SYN has come already, and was told the whole
/// window. The other side then believes what it is told by the second byte, and not by the first
/// (RFC 9293, 3.10.7.4: a smaller window takes a later sequence number). A socket that refuses
/// stays as it is.
bool hold_window(int socket, std::uint32_t memory = held_memory) noexcept;
/// Offers all of `memory` with the next segment that leaves, or when a byte is taken. Only while
/// next to nothing comes: what is offered meanwhile would be forgotten.
void open_window(int socket, std::uint32_t memory) noexcept;
/// The same while bytes come: the kernel then offers three times as much in each round trip, up to
/// `memory`.
void widen_window(int socket, std::uint32_t memory) noexcept;
/// Takes back what was offered, while nothing is on its way: bytes that come all the same beyond
/// `memory` are dropped, and sent again when there is room.
void shrink_window(int socket, std::uint32_t memory) noexcept;

/// From now on so much, whatever the kernel's own tuning finds. Returns what it had: for
/// free_memory(). Before connect() the window's scale would follow it: see tune_memory().
std::uint32_t bound_memory(int socket, std::uint32_t memory) noexcept;
/// Lets the kernel's tuning change the memory, or not.
void tune_memory(int socket, bool tuned) noexcept;
/// `memory`, and from now on what the kernel's own tuning finds.
void free_memory(int socket, std::uint32_t memory) noexcept;

/// TCP_NOTSENT_LOWAT: so much may wait unsent; the socket is writable again below a half.
void bound_unsent(int socket, std::uint32_t bytes) noexcept;

/// sk_rcvbuf; 0 if it cannot be read.
std::uint32_t memory_of(int socket) noexcept;
/// Returns how much of that its unread packets hold.
std::uint32_t memory_used(int socket) noexcept;
/// Returns the window that the other side offers now; 0 if it cannot be read.
std::uint32_t peer_window(int socket) noexcept;
/// False: its SYN has been accepted with its data (RFC 7413), and nothing more has come.
bool has_completed_handshake(int socket) noexcept;

}  // namespace tw::relay
