// The answer of a host without a listener to a TCP SYN: RST and ACK (RFC 9293, section 3.10.7.1),
// as the whole IP packet back to its sender. connect() then fails with "connection refused".
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace tw {

/// An IPv6 header and a TCP header without options.
inline constexpr std::size_t tcp_reset_max = 60;

/// Writes the answer to `syn`, a whole IP packet, to `out`, which must have tcp_reset_max bytes and
/// not overlap it: from its target to its source, sequence number 0, acknowledging the SYN and its
/// payload. Returns its length; 0 if `syn` is no TCP segment with SYN and without ACK, RST and FIN,
/// or a fragment. IPv6 extension headers are not sent back.
std::size_t write_tcp_reset(ByteView syn, ByteSpan out) noexcept;

}  // namespace tw
