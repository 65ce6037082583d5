// Every way in which a connection can end: one list for counters, labels and log lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tw::relay {

/// Why a connection was not relayed, or how it ended.
enum class Outcome : std::uint8_t {
  closed,           ///< both directions ended with FIN
  reset,            ///< either side reset it; the reset was passed on
  refused_policy,   ///< no rule allows it, here or at the last PoP
  refused_special,  ///< target is loopback, link-local, or local to this machine
  refused_source,   ///< a leg from an address that is no PoP's
  refused_proof,    ///< a leg that does not prove to be its PoP's, or a PoP that does not
  refused_client,   ///< a PoP that named a client it may not name
  refused_hops,     ///< a leg that has come through too many PoPs: routes go round in a circle
  bad_header,       ///< a leg whose PROXY v2 header is malformed, or did not come in time
  connect_failed,   ///< the onward connection was refused or timed out
  limit,            ///< max_connections, or out of descriptors
  client_limit,     ///< max_connections_per_client
  pop_limit,        ///< a leg of a PoP that has as many as it may
  idle,             ///< idle_timeout or half_close_timeout
  unclaimed,        ///< begun at a SYN whose client never completed its handshake
  revoked,          ///< new settings refuse what the old ones allowed
  shutdown,         ///< the node stopped
};
inline constexpr std::size_t outcome_count = 17;
std::string_view name_of(Outcome outcome) noexcept;

}  // namespace tw::relay
