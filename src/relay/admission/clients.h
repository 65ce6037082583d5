// The clients of a relay: how many connections each has (by principal.h), where they are, and what
// is shared out among them, memory and faster starts. Legs of PoPs share in the memory by the
// clients that they carry, and are not counted here.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "relay/admission/client_counts.h"
#include "relay/admission/principal.h"
#include "relay/pacing/client_rates.h"
#include "relay/settings.h"
#include "relay/snapshot.h"
#include "relay/stream/client_index.h"
#include "relay/stream/connection_table.h"
#include "relay/stream/receive_budget.h"

namespace tw::relay {

/// Must outlive the connections that share() was called for.
class Clients {
 public:
  /// `settings` must outlive this; apply() follows each change of them.
  explicit Clients(const RelaySettings& settings) : settings_(settings) {}

  /// Under new settings an address may be another client's: counts those in `table` anew.
  void apply(ConnectionTable& table);

  Principal principal_of(const IpAddress& client) const noexcept {
    return principals_ ? principals_->of(client) : Principal{client};
  }
  std::size_t connections_of(const Principal& client) const noexcept { return counts_.of(client); }
  /// Returns the connection of a client that has this 4-tuple.
  std::optional<ConnectionId> find(const ClientKey& key) const noexcept { return index_.find(key); }

  /// Counts a connection of `client`, who has key.client's address, and finds it from now on. No
  /// other may be found by that key.
  void add(const Principal& client, const ClientKey& key, ConnectionId id);
  /// Finds the connection of that key no more: its client has come back from the same port. It is
  /// counted until remove().
  void lose(const ClientKey& key) noexcept { index_.erase(key); }
  /// The connection ends; it must have been added.
  void remove(const Connection& connection, ConnectionId id) noexcept;

  /// The memory of the connection's sources comes out of the budget of all clients.
  void share_memory(Connection& connection) noexcept;
  /// The connection's client is here: it starts with the rate that the client's path is known to
  /// carry, if the settings say so.
  void start(Connection& connection);

  ClientStartCounters start_counters(Instant now) const noexcept;
  ReceiveBudgetState memory() const noexcept { return memory_.state(); }

 private:
  const RelaySettings& settings_;
  std::shared_ptr<const Principals> principals_;  // by which counts_ counts
  ClientCounts counts_;
  ClientIndex index_;
  ReceiveBudget memory_;
  std::shared_ptr<ClientRates> rates_ = std::make_shared<ClientRates>();
};

}  // namespace tw::relay
