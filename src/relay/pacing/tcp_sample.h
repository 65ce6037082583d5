// Reads TCP_INFO of a sending socket, and tells the socket one thing in return: how
// fast it may send at most.
#pragma once

#include <cstdint>
#include <limits>

#include "base/result.h"
#include "base/time.h"

namespace tw::relay {

/// Sums are of payload, since the connection began.
struct TcpSample {
  Duration rtt{}, min_rtt{};          ///< smoothed; the least of the last minutes
  std::uint32_t window = 0;           ///< segments: snd_cwnd
  bool slow_start = false;            ///< below snd_ssthresh
  std::uint32_t segment_bytes = 0;    ///< of payload
  std::uint64_t sent_bytes = 0;       ///< again as well as for the first time
  std::uint64_t delivered_bytes = 0;  ///< acknowledged, also selectively
  std::uint64_t retransmitted_bytes = 0;
  std::uint64_t notsent_bytes = 0;  ///< in the send buffer, and never sent
  Duration reader_held{};           ///< the receiver's window was closed for so long in all
  /// Bits a second at which the last flight was delivered that the application did not bound; if it
  /// bounded all, the fastest.
  std::uint64_t delivery_bps = 0;
};
/// Fails only if `socket` is not TCP.
Result<TcpSample> read_tcp_sample(int socket) noexcept;

inline constexpr std::uint64_t unpaced_bps = std::numeric_limits<std::uint64_t>::max();
/// SO_MAX_PACING_RATE. Lowering works at once. After raising, the kernel goes on at the old rate
/// until it hears the next acknowledgement of data: with nothing in flight that is an RTT after the
/// next byte.
Result<void> set_pacing_rate(int socket, std::uint64_t bits_per_s) noexcept;

}  // namespace tw::relay
