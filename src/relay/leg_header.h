// Reads the PROXY v2 header at the start of a leg and not a byte beyond it: what follows stays in
// the socket for splice. The header is looked at (MSG_PEEK) until it is whole, and then taken.
#pragma once

#include <cstdint>

#include "wire/proxy_v2.h"

namespace tw::relay {

struct LegHeader {
  enum class State : std::uint8_t {
    incomplete,  ///< call again when more has come
    complete,    ///< `header` has been taken from the socket
    malformed,   ///< or ended before it was whole
    failed,      ///< the socket failed, with `os_errno`
  };
  State state = State::incomplete;
  ProxyHeader header{};
  int os_errno = 0;
};

/// Never blocks. `ended`: nothing will follow what the socket holds now.
LegHeader read_leg_header(int socket, bool ended) noexcept;

}  // namespace tw::relay
