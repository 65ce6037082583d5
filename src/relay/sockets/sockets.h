// The sockets of the relay, as they must be before the first byte. They live with SO_LINGER {1, 0}
// until an orderly close: whatever else ends them, the death of this process included, the other
// side sees a reset and never a short but clean end of file.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "relay/settings.h"
#include "wire/address.h"

namespace tw::relay {

struct ListenerOptions {
  Endpoint address;                      ///< unspecified: all addresses of that family
  std::string device{};                  ///< accepts what comes in by this device only
  bool transparent = false;              ///< TPROXY: answers for addresses that are not ours
  bool before_address = false;           ///< `address` need not be this machine's yet
  const TurboSettings* turbo = nullptr;  ///< for a listener for legs
  const RelayLimits* limits = nullptr;   ///< when a silent side is dead; null: the system's
  bool fast_open = false;                ///< takes data in a SYN that has a cookie (RFC 7413)
  /// SO_MARK, which accepted sockets inherit: the firewall knows our sockets by it. 0: none.
  std::uint32_t mark = 0;
};
/// Listening, non-blocking, close-on-exec. Accepted sockets inherit the options. Nobody
/// else can listen there as long as it is open: SO_REUSEADDR shares nothing with one that listens,
/// and SO_REUSEPORT, which would, is not set.
Result<UniqueFd> open_listener(const ListenerOptions& options);

struct OnwardOptions {
  Endpoint target;
  std::string device{};                  ///< for a leg; else empty: whichever the route says
  Endpoint source{};                     ///< for a leg; port 0: any
  const TurboSettings* turbo = nullptr;  ///< for a leg
  const RelayLimits* limits = nullptr;   ///< as above
  /// If the kernel has a cookie of the target: the SYN leaves with the first bytes written. Only if
  /// there are some to write at once: without, it never leaves.
  bool fast_open = false;
  /// Receives unclaimed_memory at most, until free_memory() gives it what it had.
  std::uint32_t* bound_from = nullptr;
  /// Says of a leg whether it is held only from its second byte on (hold_window()).
  bool* held_late = nullptr;
  std::uint32_t mark = 0;  ///< for a leg, as above
};
/// A connection being made: writable, or failed, when that is decided.
Result<UniqueFd> open_onward(const OnwardOptions& options);

/// A leg is held then (receive_window.h), if its buffers are forced.
bool is_held(const TurboSettings& turbo) noexcept;

/// Buffers and congestion control of a leg. Before connect; on a listener, for what it accepts from
/// now on. Forced past the system's limits, which needs CAP_NET_ADMIN.
Result<void> start_fast(int socket, const TurboSettings& turbo);

/// The same for a listener that may have had other settings: without a congestion control it gets
/// the system's back.
Result<void> start_fast_anew(int listener, const TurboSettings& turbo);

/// Makes a listener take data in a SYN that has a cookie, or stop it (RFC 7413).
Result<void> take_fast_open(int listener, bool take);

/// Keepalive and user timeout, as `limits` has them. On a listener, for what it accepts from now
/// on.
Result<void> notice_death(int socket, const RelayLimits& limits);

/// The round trip of its handshake, as TCP measured it, of a socket that has just connected. Zero
/// if it was not measured: a retransmitted SYN tells nothing of the path's length.
Duration connect_rtt(int socket) noexcept;

/// True if less waits unsent than TCP_NOTSENT_LOWAT has it; if not, epoll tells when it is. send()
/// asks that only once for each train of 64 KB.
bool is_writable(int socket) noexcept;

/// True if there is something to be read at once.
bool has_bytes(int socket) noexcept;

/// True if the SYN of an accepted connection carried data that was taken.
bool came_by_fast_open(int socket) noexcept;

/// True if its handshake has had no answer yet, though it may take bytes (Fast Open).
bool is_connecting(int socket) noexcept;

/// From now on close() ends the connection in order: what the kernel holds is still delivered.
void end_in_order(int socket) noexcept;
/// The pending error of a socket, which this clears; 0 if there is none.
int take_error(int socket) noexcept;

}  // namespace tw::relay
