// Reads the PROXY v2 header at the start of a leg and not a byte beyond it: what follows stays in
// the socket for splice. The header is looked at (MSG_PEEK) until it is whole, and then taken.
#pragma once

#include <cstdint>

#include "wire/proxy_v2.h"

namespace tw::relay {

/// Our own TLV, of PP2_TYPE_MIN_CUSTOM: one byte of flags.
inline constexpr std::uint8_t leg_tlv = 0xe0;
inline constexpr std::uint8_t leg_tlv_fast_open = 0x01;

struct LegHeader {
  enum class State : std::uint8_t {
    empty,       ///< not a byte yet: a warm leg that waits
    unused,      ///< ended in order without one
    incomplete,  ///< call again when more has come
    complete,    ///< `header` has been taken from the socket
    malformed,   ///< or ended inside it
    failed,      ///< the socket failed, with `os_errno`
  };
  State state = State::empty;
  ProxyHeader header{};
  bool fast_open = false;  ///< LegRequest::fast_open of the PoP before us
  int os_errno = 0;
};

/// Never blocks. `ended`: nothing will follow what the socket holds now.
LegHeader read_leg_header(int socket, bool ended) noexcept;

}  // namespace tw::relay
