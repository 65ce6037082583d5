// The counters of a relay, as a copy that other contexts may keep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "relay/legs/leg_source.h"
#include "relay/log/connection_log.h"
#include "relay/log/stage_times.h"
#include "relay/outcome.h"
#include "relay/pacing/path_rate.h"
#include "relay/proof/pop_proof.h"
#include "relay/settings.h"
#include "relay/stream/receive_budget.h"

namespace tw::relay {

struct PopCounters {
  std::string name;
  bool usable = true;                              ///< new connections go by it
  std::uint64_t legs_opened = 0, legs_failed = 0;  ///< for a target
  std::uint64_t silent = 0;                        ///< legs whose PoP did not answer in time
  std::uint64_t left = 0;  ///< connections that went another way then, unnoticed by their clients
  LegSourceState warm;     ///< its pool
  Legs legs = Legs::authenticated;
  LegProofCounters proof;
  std::uint64_t refused_clients = 0;  ///< legs that named a client it may not name
  /// Legs that it has opened to us: all, and of those what waits for a target.
  std::size_t legs_here = 0, waiting_here = 0;
  std::uint64_t refused_here = 0;  ///< Outcome::pop_limit
  std::optional<PathState> path;   ///< the way to it; none: legs are not paced
};

/// SYNs that were seen before their handshakes were complete.
struct EarlySynCounters {
  std::uint64_t seen = 0;         ///< reported to us, retransmissions included
  std::uint64_t begun = 0;        ///< onward halves
  std::uint64_t claimed = 0;      ///< by the client, its handshake complete
  std::uint64_t over_budget = 0;  ///< left to wait for their handshake
  std::uint64_t late = 0;         ///< known already: retransmitted, or accepted before
  /// Left to wait, because their client is not reached by the device they came by.
  std::uint64_t wrong_device = 0;
  std::uint64_t unclaimed = 0;  ///< halves that wait now
};

/// SYNs that were held back until their servers had answered. Each that is no
/// longer `waiting` is counted in one of the others; one that was not put to a server has passed.
struct HeldSynCounters {
  std::uint64_t held = 0;
  std::uint64_t passed = 0;    ///< let through: the server has accepted, or is not to be asked
  std::uint64_t refused = 0;   ///< the server has refused, or is out of reach, or silent
  std::uint64_t repeated = 0;  ///< dropped: the connection has another that is held, or is made
  std::uint64_t waiting = 0;   ///< for their servers' answers, now
};

/// Faster starts towards clients whose paths are known.
struct ClientStartCounters {
  bool enabled = false;
  bool possible = false;    ///< the kernel has what opens the windows
  std::uint64_t known = 0;  ///< clients of whom something is remembered
  std::uint64_t starts =
      0;  ///< connections that began so; from nothing again when it is turned off
};

/// A copy, taken on the relay's context.
struct RelaySnapshot {
  std::uint64_t accepted_clients = 0;  ///< transparent listener
  std::uint64_t accepted_legs = 0;     ///< leg listener
  std::uint64_t active = 0;            ///< connections being relayed now, or on their way to it
  std::uint64_t waiting_legs = 0;      ///< warm legs of other PoPs, without a target yet
  std::uint64_t bytes_upstream = 0;    ///< from the side that connected to us
  std::uint64_t bytes_downstream = 0;
  std::vector<std::uint64_t> outcomes;  ///< by Outcome
  std::vector<PopCounters> pops;
  EarlySynCounters early_syn;
  Accept accept = Accept::early;
  HeldSynCounters held_syns;
  ClientStartCounters client_start;
  ReceiveBudgetState buffers;
  StageTimes stages;
  ConnectionLogCounters log;
};

}  // namespace tw::relay
