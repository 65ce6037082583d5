// Split TCP: takes the connections that TPROXY hands over and the legs that other PoPs open, finds
// the way onward, and moves bytes between the two halves without copying them to user space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exec/context_ring.h"
#include "exec/poller.h"
#include "relay/legs/leg_source.h"
#include "relay/log/connection_log.h"
#include "relay/log/stage_times.h"
#include "relay/pacing/path_rate.h"
#include "relay/proof/pop_proof.h"
#include "relay/settings.h"
#include "relay/sockets/doors.h"
#include "relay/stream/receive_budget.h"
#include "relay/syn_source.h"

namespace tw::relay {

/// Why a connection was not relayed, or how it ended. One list for counters, labels and log lines.
enum class Outcome : std::uint8_t {
  closed,           ///< both directions ended with FIN
  reset,            ///< either side reset it; the reset was passed on
  refused_policy,   ///< no rule allows it, here or at the last PoP
  refused_special,  ///< target is loopback, link-local, or local to this machine
  refused_source,   ///< a leg from an address that is no PoP's
  refused_proof,    ///< a leg that does not prove to be its PoP's, or a PoP that does not
  refused_client,   ///< a PoP that named a client it may not name
  refused_hops,     ///< a leg that has come through too many PoPs: routes go round in a circle
  bad_header,       ///< a leg whose PROXY v2 header is malformed, or did not come in time
  connect_failed,   ///< the onward connection was refused or timed out
  limit,            ///< max_connections, or out of descriptors
  client_limit,     ///< max_connections_per_client
  pop_limit,        ///< a leg of a PoP that has as many as it may
  idle,             ///< idle_timeout or half_close_timeout
  unclaimed,        ///< begun at a SYN whose client never completed its handshake
  revoked,          ///< new settings refuse what the old ones allowed
  shutdown,         ///< the node stopped
};
inline constexpr std::size_t outcome_count = 17;
std::string_view name_of(Outcome outcome) noexcept;

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

/// What became of the SYNs that were seen before their handshakes were complete.
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

/// What became of the SYNs that were held back until their servers had answered. Each that is no
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

/// What is to become of the SYNs that the lane holds. Room for held_syns_max.
using SynAnswers = ContextRing<SynAnswer>;

/// One relay worker's share. A Poller on a context of its own: a splice can take hundreds of
/// microseconds, and a data worker has not got them.
class Relay final : public Poller {
 public:
  /// Opens the listeners (needs CAP_NET_ADMIN for IP_TRANSPARENT and SO_BINDTODEVICE; the TUN
  /// device and its addresses must exist). Nothing is left open on failure.
  /// `syns` are this relay's to consume, and must outlive it. Of the listeners, those in `doors`
  /// are open already.
  static Result<std::unique_ptr<Relay>> create(RelaySettings settings,
                                               std::vector<SynSource*> syns = {},
                                               std::vector<OpenDoor> doors = {});
  /// Where each SYN that is reported as held gets its answer. Before the first poll; must outlive
  /// this. Without it none may be held.
  void answer_syns(SynAnswers* answers) noexcept;
  /// Resets every connection that is still there.
  ~Relay() override;

  /// New routes, policy, limits, turbo. Connections that are being relayed stay, but for those that
  /// the new settings refuse, by policy, target or PoP: they are reset; returns how many there
  /// were. `opened`: what open_doors() has made of these settings and doors(); listeners that they
  /// do not name are closed after those have been taken over, and the others stay the same sockets.
  /// The TUN device stays what it is. On the relay's context.
  std::size_t apply(RelaySettings settings, std::vector<OpenDoor> opened = {});
  /// Returns the doors that listen now. On the relay's context.
  std::vector<DoorPlan> doors() const;
  /// SYNs from these from now on, and from no other. On the relay's context; a source that is left
  /// out is not touched any more. Fails if one cannot be watched; the others are taken.
  Result<void> take_syns_from(std::vector<SynSource*> syns);
  /// New connections are reset at once; what runs goes on. The listeners stay this process's: see
  /// doors.h. On the relay's context.
  void drain(Instant now) noexcept;
  /// Takes new connections again, after drain() or refuse_all(). On the relay's context.
  void resume() noexcept;
  /// As drain(), and what runs is reset. On the relay's context.
  void refuse_all(Instant now) noexcept;
  RelaySnapshot snapshot() const;

  std::size_t poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override;
  Instant coalescing_until() const noexcept override;
  std::span<const int> wait_fds() const noexcept override;
  bool arm() noexcept override;

 private:
  struct State;
  explicit Relay(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace tw::relay
