// The starts of one connection's flows: how its legs begin to send (leg_start.h), and how its
// client is sent to (client_start.h). A connection without any takes no memory for them.
#pragma once

#include <cstdint>
#include <utility>

#include "base/time.h"
#include "relay/pacing/client_start.h"
#include "relay/pacing/leg_start.h"
#include "relay/stream/liveness.h"
#include "relay/stream/on_demand.h"

namespace tw::relay {

class ConnectionStarts {
 public:
  /// The leg on that side starts like this. When its target is known, before its first byte.
  void start_leg(Side side, LegStart start, Instant now);
  /// The client on the front starts like this. Before its first byte.
  void start_client(ClientStart start) noexcept { client_.emplace(std::move(start)); }
  /// The back's leg has been lost.
  void drop_back() noexcept { back_.reset(); }

  /// The first bytes for the front are there, and have not been sent.
  void before_answer(Instant now) noexcept;
  /// After a turn. Bytes that have been handed to the back's socket, and to the front's, so far.
  void on_written(std::uint64_t upstream, std::uint64_t downstream, Instant now) noexcept;
  /// When on_written() is due, though nothing was written. Instant::max() if never.
  Instant deadline() const noexcept;
  /// Remembers what the paths have delivered. Before the sockets are closed.
  void learn(Instant now) noexcept;
  void close() noexcept;

 private:
  OnDemand<LegStart> front_, back_;
  OnDemand<ClientStart> client_;
};

}  // namespace tw::relay
