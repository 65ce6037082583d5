// The constants of the WireGuard whitepaper (section 6.1), and the limits we add. Every default of
// the protocol is here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace tw::wg {

inline constexpr Duration rekey_after_time = 120s;
inline constexpr Duration reject_after_time = 180s;
inline constexpr Duration rekey_attempt_time = 90s;
inline constexpr Duration rekey_timeout = 5s;
inline constexpr Duration rekey_timeout_jitter = 334ms;  ///< at most; keeps two peers from colliding
inline constexpr Duration keepalive_timeout = 10s;
inline constexpr Duration cookie_lifetime = 120s;
inline constexpr std::uint64_t rekey_after_messages = std::uint64_t{1} << 60U;
inline constexpr std::uint64_t reject_after_messages = ~std::uint64_t{0} - (std::uint64_t{1} << 13U);

/// An initiation from one peer is not answered sooner than this after the last: 50 a second, as the
/// kernel module has it.
inline constexpr Duration handshake_min_interval = 20ms;
/// Packets of one peer that wait for a handshake. The kernel module keeps 128.
inline constexpr std::size_t staged_packets_max = 128;

/// A peer's slot: chosen by whoever configures (node), dense and reused; never seen on the wire.
struct PeerId {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(PeerId, PeerId) noexcept = default;
};

}  // namespace tw::wg
