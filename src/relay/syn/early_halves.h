// Onward halves that begin at a client's SYN, before its handshake is complete (KTCP, section 4.1):
// which SYNs begin one, how many wait to be claimed, and what becomes of the SYNs that are held.
// A SYN that begins none for want of room is not refused either: it is served when it is accepted.
#pragma once

#include <cstddef>
#include <optional>

#include "base/time.h"
#include "relay/admission/client_counts.h"
#include "relay/admission/clients.h"
#include "relay/admission/syn_budget.h"
#include "relay/legs/connector.h"
#include "relay/legs/way_choice.h"
#include "relay/log/connection_accounts.h"
#include "relay/settings.h"
#include "relay/snapshot.h"
#include "relay/stream/connection_table.h"
#include "relay/syn/held_answers.h"
#include "relay/syn/syn_source.h"

namespace tw::relay {

/// A connection that is new in the table, and the step that follows.
struct Arrived {
  ConnectionId id;
  Step step = Step::waiting;
};

class EarlyHalves {
 public:
  /// All must outlive this.
  EarlyHalves(const RelaySettings& settings, ConnectionTable& table, Clients& clients,
              WayChoice& ways, Connector& connector, ConnectionAccounts& accounts);
  /// After clients.apply(): an address may be another client's.
  void apply();
  /// Held SYNs get their answers by this ring; see HeldAnswers.
  void answer_to(std::vector<SynAnswers*> rings) noexcept { answers_.send_to(std::move(rings)); }

  /// Returns the half that the SYN has begun; empty if it began none. A SYN that is held has its
  /// answer then. `begins`: false while no new connections are taken.
  std::optional<Arrived> take(const SynReport& syn, const SynSource& source, bool begins,
                              Instant now);
  /// The client has completed its handshake: `front` is the socket that was accepted.
  void claim(Connection& connection, UniqueFd front, Instant now);
  /// The server has accepted the connection of a half whose SYN is held: the SYN may pass.
  void pass(Connection& connection, Instant now);
  /// A client's connection is finished: its half is claimed no more, and its SYN, if it is held,
  /// refused.
  void forget(Connection& connection, Instant now);
  /// Wakes the reporter of held SYNs, if there are answers for it. After a batch of the others.
  void wake_reporter() noexcept { answers_.wake(); }

  EarlySynCounters counters() const noexcept;
  const HeldSynCounters& held_counters() const noexcept { return answers_.counters(); }

 private:
  std::optional<Arrived> begin(const SynReport& syn, const SynSource& source, Instant now);
  void join(Connection& connection, const SynReport& syn);
  void answer(const SynReport& syn, SynVerdict verdict);
  void refuse(const SynReport& syn, Outcome reason);
  bool may_begin(const SynReport& syn, const Principal& client, Instant now) noexcept;
  void end_wait(const Connection& connection) noexcept;

  const RelaySettings& settings_;
  ConnectionTable& table_;
  Clients& clients_;
  WayChoice& ways_;
  Connector& connector_;
  ConnectionAccounts& accounts_;
  HeldAnswers answers_;
  EarlySynCounters counters_;  // without `unclaimed`
  std::size_t unclaimed_ = 0;  // halves whose client has not claimed them
  std::size_t unproven_ = 0;   // of those, of clients that may not exist
  ClientCounts unclaimed_of_;  // the same by client
  SynBudget budget_;
};

}  // namespace tw::relay
