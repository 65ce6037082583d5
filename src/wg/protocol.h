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
inline constexpr Duration rekey_timeout_jitter =
    334ms;  ///< at most; keeps two peers from colliding
/// After so many initiations in a row without an answer, and after as many more each time, it is
/// said so: the peer may have another address by now.
inline constexpr unsigned unanswered_initiations = 3;
inline constexpr Duration keepalive_timeout = 10s;
inline constexpr Duration cookie_lifetime = 120s;
/// A cookie is used for this much less than its secret may live: it was made before it came.
inline constexpr Duration cookie_latency = 5s;
inline constexpr std::uint64_t rekey_after_messages = std::uint64_t{1} << 60U;
inline constexpr std::uint64_t reject_after_messages =
    ~std::uint64_t{0} - (std::uint64_t{1} << 13U);

/// An initiation from one peer is not answered sooner than this after the last: 50 a second, as the
/// kernel module has it.
inline constexpr Duration handshake_min_interval = 20ms;
/// Under load, handshake messages with a valid cookie of one address and port are processed at this
/// rate after a burst, which the kernel module has for a whole IPv4 address or IPv6 /64.
inline constexpr Duration source_interval = 50ms;
inline constexpr int source_burst = 5;
/// And of all ports of such a network: 100 a second, of which each costs 0.1 to 0.2 ms.
inline constexpr Duration network_interval = 10ms;
inline constexpr int network_burst = 25;
/// Sources whose rate is remembered at a time; more share what is there.
inline constexpr std::size_t source_slots = 8192;
/// Cookie replies cost some 3 us to seal and as much to send. For strangers who have not asked for
/// one lately there are 5,000 a second after a burst, all together; one a second for an address and
/// port, 200 for a network.
inline constexpr Duration stranger_reply_interval = 200us;
inline constexpr int stranger_reply_burst = 50;
inline constexpr Duration stranger_endpoint_interval = 1s;
inline constexpr Duration stranger_network_interval = 5ms;
inline constexpr int stranger_network_burst = 20;
inline constexpr std::size_t stranger_slots = std::size_t{1} << 16U;
/// And for all others 20,000: of a flood of 25,000 from one address four in five are answered, so
/// that whoever shares that address has its cookie after a try or two. Both together are a seventh
/// of a core that a flood has for it at most.
inline constexpr Duration other_reply_interval = 50us;
inline constexpr int other_reply_burst = 200;
/// Sources of earlier handshakes that are remembered, with a cookie rate of their own each.
inline constexpr std::size_t known_source_slots = std::size_t{1} << 16U;
/// Initiations sent in one tick, of some 0.1 ms each: 10,000 peers may be due at once, and received
/// messages must not wait for them all.
inline constexpr std::size_t initiations_per_tick = 8;
/// Packets of one peer that wait for a handshake. The kernel module keeps 128.
inline constexpr std::size_t staged_packets_max = 128;
/// And how long one of them may wait: any round trip and a busy responder fit, the retry of an
/// initiation that was lost (REKEY_TIMEOUT) does not. By then TCP has sent its segment again, after
/// one second, and an answer to the first would come twice or too late.
inline constexpr Duration staged_wait_max = 2s;

/// A peer's slot: chosen by whoever configures (node), dense and reused; never seen on the wire.
struct PeerId {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(PeerId, PeerId) noexcept = default;
};

}  // namespace tw::wg
