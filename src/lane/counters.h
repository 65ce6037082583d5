// What a lane counts, so that per direction, in segments:
//   received + generated = sent + consumed + dropped + queued
// holds whenever the lane is not in the middle of a batch. `queued` is a gauge: to the wire, what
// waits for a handshake; from the wire, SYNs held until their servers have answered. Such a SYN
// ends as sent, as consumed (its sender gets a generated reset), or as dropped.
#pragma once

#include <cstdint>

#include "base/counter.h"

namespace tw::lane {

struct DirectionCounters {
  Counter received;        ///< segments that came in: from the wire, or from the TUN
  Counter received_bytes;  ///< as they came: datagrams, or inner packets
  Counter generated;       ///< made here: keepalives, handshake messages, ICMP errors
  Counter sent;            ///< segments that left: to the TUN, or to the wire
  Counter sent_bytes;
  Counter consumed;  ///< ended here as they should: keepalives, handshake messages handed on
  DropCounters drops;

  /// Packets waiting inside: what the conservation rule leaves over.
  std::int64_t queued() const noexcept {
    return static_cast<std::int64_t>(received.value() + generated.value()) -
           static_cast<std::int64_t>(sent.value() + consumed.value() + drops.total());
  }
};

struct LaneCounters {
  DirectionCounters from_wire;
  DirectionCounters to_wire;
  Counter open_batches, open_jobs;  ///< jobs ÷ batches = how well decryption batches
  Counter seal_batches, seal_jobs;
};

/// Of the handshake context. Its messages were `consumed` by the lane that handed them on.
struct HandshakeCounters {
  Counter received;
  Counter processed;
  Counter initiations_sent, responses_sent, cookies_sent;
  Counter established;
  Counter events_lost;  ///< found the ring to the worker full: the protocol repeats what they said
  DropCounters drops;
};

}  // namespace tw::lane
