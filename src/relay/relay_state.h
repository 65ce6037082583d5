// The parts of a Relay and the turn that drives them: events, SYNs, connections that come, their
// turns, their ends. Each part decides or keeps one subject and says what follows; this alone
// settles the steps of connections and ends them.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "relay/admission/clients.h"
#include "relay/arrivals.h"
#include "relay/legs/connector.h"
#include "relay/legs/leg_liveness.h"
#include "relay/legs/way_choice.h"
#include "relay/log/connection_accounts.h"
#include "relay/pops/pop_table.h"
#include "relay/relay.h"
#include "relay/sockets/acceptor.h"
#include "relay/sockets/event_queue.h"
#include "relay/stream/connection_table.h"
#include "relay/stream/gatherers.h"
#include "relay/stream/splice_pipe.h"
#include "relay/syn/early_halves.h"
#include "relay/syn/syn_sources.h"

namespace tw::relay {

struct Relay::State {
  State(RelaySettings wanted, int tun_index, EventQueue queue, std::unique_ptr<RouteLookup> lookup);

  /// Takes over the sockets that have been opened for the settings, and closes those that they do
  /// not name, after those have been served who wait there.
  Result<void> change_doors(std::vector<OpenDoor> opened);
  /// `settings` has changed: all parts follow.
  void use_settings();

  std::size_t poll(Instant now, std::size_t budget);
  Instant next_deadline() const noexcept;
  Instant coalescing_until() const noexcept;
  bool has_work() const noexcept;
  void drain(Instant now) noexcept;
  void resume() noexcept;
  void refuse_all(Instant now) noexcept;
  /// Resets what the settings refuse now; returns how many connections.
  std::size_t revoke();
  void reset_all() noexcept;
  RelaySnapshot snapshot();

  RelaySettings settings;
  EventQueue events;
  const std::array<int, 1> wait_fds;
  PopTable pops;
  Clients clients;  // outlives the connections
  ConnectionTable table;
  SynSources syns;
  ConnectionAccounts accounts;
  WayChoice ways;
  LegLiveness liveness;
  Connector connector;
  EarlyHalves halves;
  Arrivals arrivals;
  Acceptor acceptor;

 private:
  void take_events();
  void take_syns(Instant now, std::size_t most);
  void poll_legs(Instant now);
  Acceptor::Visitor serve(Instant now);
  void settle(const std::optional<Arrived>& arrived, Instant now);
  void settle(ConnectionId id, Connection& connection, Step step, Instant now);
  void take_turn(ConnectionId id, Instant now);
  void end(ConnectionId id, Connection& connection, Instant now);
  void end_as(ConnectionId id, Connection& connection, Outcome outcome, Instant now);
  void end_invalid_waiting_legs(Instant now);
  void expire(Instant now);
  void take_paused_back(Instant now);
  void gather(ConnectionId id, Connection& connection, Instant now);
  void set_deaf(ConnectionId id, Connection& connection, bool may) noexcept;

  PipePool pipes_;
  std::vector<ConnectionId> without_pipe_;
  std::vector<ConnectionId> over_;  // both sides of one of their sockets have ended
  bool legs_ready_ = false;         // a pool of warm legs, or a probe, has something to do
  bool draining_ = false;           // no new connections
  bool refusing_ = false;           // and who had come before has been served
  Gatherers gatherers_;
  Instant polled_at_;
  Instant pipes_again_ = Instant::max();
  Instant coalescing_until_ = Instant::max();  // max: none is set apart
};

}  // namespace tw::relay
