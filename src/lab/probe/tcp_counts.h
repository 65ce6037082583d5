// Segments that a host's TCP has sent, and sent again: of all its connections together, from the
// kernel's own counters.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "lab/bed/netns.h"

namespace tw::lab {

struct TcpCounts {
  std::uint64_t sent = 0;           ///< OutSegs: pure acknowledgements too, and not the repeated
  std::uint64_t retransmitted = 0;  ///< RetransSegs

  TcpCounts since(const TcpCounts& before) const noexcept {
    return {.sent = sent - before.sent, .retransmitted = retransmitted - before.retransmitted};
  }
};

/// Reads /proc/net/snmp of the host; a tenth of a millisecond, on a thread of its own.
Result<TcpCounts> tcp_counts_of(const Namespace& host);

/// From that file's text: the names stand on one line that begins with "Tcp:", the values on the
/// next. None if it has not both counters.
std::optional<TcpCounts> parse_tcp_counts(std::string_view snmp) noexcept;

}  // namespace tw::lab
