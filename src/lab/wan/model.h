// A prediction from round trips, initial windows and rates alone: when the first byte of a download
// arrives, and its last. Each TCP connection on the way is a hop with a slow start of its own; what
// arrives at one end of it may leave by the next. No processing time, no loss and no receive window
// is in it, so that the difference to what is measured is just these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tw::lab {

/// The division of the way from client to server, and the wait of each relay.
enum class Way : std::uint8_t {
  unsplit,  ///< one connection end to end
  split,    ///< three: client – R_C – R_S – server
  channel,  ///< the middle one is there already, but a relay asks and waits before it sends (ssh)
};

struct ModelLink {
  double rtt_ms = 0;
  double rate_bps = 0;  ///< 0: unlimited
};

struct ModelInput {
  ModelLink client, middle, server;
  Way way = Way::unsplit;
  bool early_syn = false;  ///< the onward half begins at the client's SYN, not after its handshake
  bool warm_legs = false;  ///< the connection between R_C and R_S is there already
  /// The first flight between R_C and R_S is as large as the download, and paced at the link's
  /// rate.
  bool turbo = false;
  /// The request is in the client's SYN; and in that to the server, too.
  bool fast_open = false, server_fast_open = false;
  std::uint64_t bytes = 0;
  /// A first segment of so many bytes that nothing is added to: HTTP headers, if the server sends
  /// them apart from the file (nginx without tcp_nopush). 0: part of the first full segment.
  std::uint64_t header_bytes = 0;
  std::uint32_t initial_window = 10;  ///< segments, of a connection without turbo (RFC 6928)
  std::uint32_t segment_bytes = 1448;
  std::uint64_t middle_window_bytes = 0;  ///< most under way on the middle connection; 0: any
};

struct Prediction {
  double ttfb_ms = 0;
  double total_ms = 0;
};

/// Cost: three steps a segment; 50 MB take a millisecond.
Prediction predict(const ModelInput& input);

/// The least that is possible without data in SYNs' answers: the first byte after one end-to-end
/// round trip, the rest at the rate of the slowest link.
Prediction ideal(const ModelInput& input);

/// One segment at a place on its way.
struct ModelSegment {
  double time_ms = 0;
  std::uint64_t end = 0;  ///< bytes of the answer up to and with it
};

/// One connection's sending side, in slow start throughout: each acknowledged segment lets two more
/// leave. The window need not be used to grow: a sender with little to send gains no less.
struct ModelHop {
  double rtt_ms = 0;
  double rate_bps = 0;
  std::uint64_t initial_window = 10;  ///< segments
  std::uint64_t largest_window = 0;   ///< segments; 0: any
};

/// When each of `ready` (times ascending) arrives at the hop's far end: in order, each after its
/// time on the line and half a round trip.
std::vector<ModelSegment> cross(const ModelHop& hop, const std::vector<ModelSegment>& ready);

}  // namespace tw::lab
