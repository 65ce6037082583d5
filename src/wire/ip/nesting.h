// A tunnel's packet inside another tunnel. Each tunnel wraps it in a header with a fresh hop limit,
// so that of two tunnels that are routed into each other nothing ever ends the loop: the packet
// grows by a header each time, and in the end into two. So a datagram of WireGuard hands its hop
// limit on to the header around it, less a step. (RFC 2473, section 4.1.1, has an option for this;
// IPv4 has none, and on the Internet it is dropped.)
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace tw {

struct Nesting {
  /// One tunnel costs so many of the 64 hops that a host begins with: eight tunnels in each other
  /// are the most, and each leaves as many hops as a path through the Internet has.
  static constexpr std::uint8_t hops_per_tunnel = 8;

  bool is_too_deep = false;
  std::uint8_t hop_limit = 0;  ///< of the header around it; 0: as the host's own packets have it

  /// Returns the nesting of a packet that is about to be wrapped. A WireGuard message, by its form,
  /// is nested, and a fragment of UDP, which may be part of one. Everything else is not. Cost: the
  /// protocol's byte.
  static Nesting of(ByteView packet) noexcept;
};

}  // namespace tw
