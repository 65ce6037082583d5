// Accounts for every connection that a relay ends or refuses: counts its outcome and stages, and
// says it in the connection log and in the program's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "relay/log/connection_log.h"
#include "relay/log/stage_times.h"
#include "relay/outcome.h"
#include "relay/pops/pop_table.h"
#include "relay/snapshot.h"
#include "relay/sockets/listener.h"
#include "relay/stream/connection.h"

namespace tw::relay {

class ConnectionAccounts {
 public:
  /// `pops` must outlive this.
  explicit ConnectionAccounts(const PopTable& pops);
  /// Opens the connection log anew.
  void apply(const LogSettings& settings) { log_.apply(settings); }

  /// A connection is there whose target is known; it ends with ended().
  void begun() noexcept { ++underway_; }
  void count_bytes(const Progress& progress) noexcept;
  /// Records the stages that the connection has reached since the last time.
  void note_stages(Connection& connection) noexcept;
  /// The connection is finished, and has not been closed yet.
  void ended(Connection& connection, Instant now);
  /// A socket has been accepted, and is reset: no connection was made of it.
  void refused(Listener::Kind kind, const Accepted& accepted, Outcome outcome, Instant now);
  /// Something else has this outcome: a SYN, or a connection that could not be accepted.
  void count(Outcome outcome) noexcept { ++outcomes_[std::to_underlying(outcome)]; }
  std::uint64_t count_of(Outcome outcome) const noexcept {
    return outcomes_[std::to_underlying(outcome)];
  }

  /// Fills in outcomes, bytes, stages and the log's counters.
  void fill(RelaySnapshot& snapshot) const;

 private:
  void count_failed_leg(const Connection& connection, Instant now);
  void log_ended(const Connection& connection, Instant now) noexcept;
  void debug_ended(const Connection& connection, Instant now) const;

  const PopTable& pops_;
  std::vector<std::uint64_t> outcomes_;  // by Outcome
  std::uint64_t bytes_upstream_ = 0, bytes_downstream_ = 0;
  std::uint64_t underway_ = 0;
  StageTimes stages_;
  ConnectionLog log_;
};

}  // namespace tw::relay
