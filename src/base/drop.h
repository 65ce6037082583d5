// Why a packet died. One list: it names the counter, the label of the metric and the trace.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace tw {

enum class Drop : std::uint8_t {
  malformed,        ///< a datagram that is no WireGuard message: type, length or reserved bytes
  bad_mac1,         ///< handshake message without a valid mac1
  under_load,       ///< handshake message answered with a cookie instead of being processed
  bad_handshake,    ///< handshake message that does not decrypt, or to no known peer
  stale_handshake,  ///< initiation whose TAI64N timestamp is not newer, or that comes too soon
  no_keypair,       ///< transport data for a receiver index that is not ours
  keypair_expired,  ///< transport data of a keypair past REJECT_AFTER_TIME or _MESSAGES
  bad_tag,          ///< transport data that does not authenticate
  replayed,         ///< counter seen before, or behind the window
  malformed_inner,  ///< authenticated, but not an IP packet of its stated length
  not_allowed_ip,   ///< inner source address outside the peer's allowed IPs
  host_steering,    ///< authenticated, but a router advertisement or a redirect: no peer's business
  congestion,       ///< marked on the way, and its inner sender understands no marks (RFC 6040)
  no_route,         ///< from the TUN, to an address in no peer's allowed IPs
  no_endpoint,      ///< to a peer whose endpoint is not known
  stage_full,       ///< waited for a handshake, and the peer's queue was full
  stage_expired,    ///< waited for a handshake that did not come
  too_large,        ///< from the TUN, larger than what fits one datagram
  queue_full,       ///< a bounded ring between two contexts was full
  overdue,          ///< waited longer than a queue may make a packet wait
  routing_loop,     ///< its way leads back into the tunnel, or into too many tunnels
  socket_full,      ///< the UDP socket refused it (EAGAIN, ENOBUFS)
  socket_error,     ///< the UDP socket refused it for another reason (no route, message size)
  tun_error,        ///< the TUN refused it (interface down)
  repeated_syn,     ///< a SYN that came again while the first waits for its server's answer
  shutdown,         ///< still queued when its peer was removed or the node stopped
};

inline constexpr std::array drop_names{
    std::string_view{"malformed"},       std::string_view{"bad_mac1"},
    std::string_view{"under_load"},      std::string_view{"bad_handshake"},
    std::string_view{"stale_handshake"}, std::string_view{"no_keypair"},
    std::string_view{"keypair_expired"}, std::string_view{"bad_tag"},
    std::string_view{"replayed"},        std::string_view{"malformed_inner"},
    std::string_view{"not_allowed_ip"},  std::string_view{"host_steering"},
    std::string_view{"congestion"},      std::string_view{"no_route"},
    std::string_view{"no_endpoint"},     std::string_view{"stage_full"},
    std::string_view{"stage_expired"},   std::string_view{"too_large"},
    std::string_view{"queue_full"},      std::string_view{"overdue"},
    std::string_view{"routing_loop"},    std::string_view{"socket_full"},
    std::string_view{"socket_error"},    std::string_view{"tun_error"},
    std::string_view{"repeated_syn"},    std::string_view{"shutdown"}};
inline constexpr std::size_t drop_count = drop_names.size();
static_assert(drop_count == std::to_underlying(Drop::shutdown) + std::size_t{1});

constexpr std::string_view name_of(Drop reason) noexcept {
  return drop_names[std::to_underlying(reason)];
}

}  // namespace tw
