// What a Relay is made of, and the turns it takes: events from epoll, connections accepted, served
// and ended, deadlines. The decisions are Admission's, the bytes are Connection's; here they meet
// their sockets.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/unique_fd.h"
#include "relay/admission/admission.h"
#include "relay/admission/client_counts.h"
#include "relay/admission/kernel_route.h"
#include "relay/admission/leg_counts.h"
#include "relay/admission/path_choice.h"
#include "relay/admission/syn_budget.h"
#include "relay/legs/direct_probes.h"
#include "relay/legs/leg_watch.h"
#include "relay/legs/legs.h"
#include "relay/log/connection_log.h"
#include "relay/pacing/client_rates.h"
#include "relay/pops/pop_table.h"
#include "relay/relay.h"
#include "relay/sockets/doors.h"
#include "relay/sockets/listener.h"
#include "relay/stream/client_index.h"
#include "relay/stream/connection_table.h"
#include "relay/stream/receive_budget.h"
#include "relay/stream/splice_pipe.h"

namespace tw::relay {

struct Relay::State {
  State(RelaySettings wanted, int tun, UniqueFd epoll, std::unique_ptr<RouteLookup> lookup);

  /// Listens where the settings say: see relay_doors.cc.
  Result<void> change_doors(std::vector<OpenDoor> opened);
  /// SYNs that somebody has seen before us.
  Result<void> take_syns_from(std::vector<SynSource*> syns);
  void answer_syns(SynAnswers* answers) noexcept { answers_ = answers; }
  /// Before the context sleeps: false if one has come.
  bool arm_syns() noexcept;
  /// Decisions and sources of legs from `settings`; counters of PoPs that stay are kept.
  void use_settings();

  std::size_t poll(Instant now, std::size_t budget);
  Instant next_deadline() const noexcept;
  Instant coalescing_until() const noexcept;
  bool has_work() const noexcept;
  std::vector<DoorPlan> doors() const;
  void drain(Instant now) noexcept;
  void resume() noexcept;
  void refuse_all(Instant now) noexcept;
  /// Resets what the settings refuse now; returns how many connections.
  std::size_t revoke();
  void reset_all() noexcept;

  RelaySettings settings;
  RelaySnapshot counters;  // without what is counted elsewhere: active, pops, unclaimed
  RelaySnapshot snapshot();
  ReceiveBudget receive_budget;  // outlives the connections
  ConnectionTable table;
  std::size_t unclaimed = 0;  // connections in `table` that no client has claimed
  std::size_t strangers = 0;  // of those, begun for clients that may not exist
  std::size_t held = 0;       // of those, with a SYN that waits for its answer
  const std::array<int, 1> wait_fds;

 private:
  // A source that may have connections waiting; edge-triggered, so it is asked until it is empty.
  struct Door {
    Listener listener;
    DoorPlan plan;
    bool knocked = true;
  };

  void use_pops();
  void watch_pool(const Pop& pop);
  void end_invalid_waiting_legs(Instant now);
  void start_leg(Connection& connection, Side side, const Pop& pop, Instant now);
  void poll_legs(Instant now);
  // PoPs are asked whether they still have the legs in use: relay_leg_watch.cc.
  template <typename Visitor>
  void visit_legs(const Connection& connection, Visitor&& visit) const;
  void watch_legs(Instant now);
  void ask_leg(Pop& pop, std::optional<LegName> next, bool due, Instant now);
  void sweep_legs(Instant now);
  void end_silent_legs(Pop& pop, Instant now);
  void note_leg_end(ConnectionId id, const Connection& connection) noexcept;
  Instant next_question() const noexcept;
  Result<void> watch_doors() noexcept;
  bool watch_socket(int socket, ConnectionId id, Side side) noexcept;
  void take_events();
  std::size_t accept_some(Instant now, std::size_t most);
  void serve(Listener::Kind kind, Accepted accepted, Instant now);
  void serve_client(Accepted accepted, Instant now);
  void take_syns(Instant now, std::size_t most);
  std::optional<SynVerdict> begin_half(const SynReport& syn, const SynSource& source, Instant now);
  void forget_half(const Connection& connection) noexcept;
  void remember(const Door& door, const IpAddress& client) noexcept;
  bool came_by_its_device(const SynReport& syn, const SynSource& source) noexcept;
  bool may_begin_half(const SynReport& syn, Instant now) noexcept;
  // SYNs that are held: relay_held_syns.cc.
  std::optional<SynVerdict> meet_half(Connection& connection, const SynReport& syn);
  std::optional<SynVerdict> without_way(Outcome reason, const SynReport& syn);
  void pass_held(Connection& connection, Instant now);
  void answer(std::uint32_t number, SynVerdict verdict);
  void wake_holder() noexcept;
  void claim(ConnectionId id, Connection& connection, Accepted accepted, Instant now);
  void serve_leg(Accepted accepted, Instant now);
  void start_client(Connection& connection);
  void share(Connection& connection) noexcept;
  bool may_take_leg(const Pop& pop) const noexcept;
  void say_exhausted(Instant now);
  void say_crowd(const IpAddress& client, Instant now);
  void say_crowd_of_pop(const Pop& pop, Instant now);
  void refuse(Listener::Kind kind, const Accepted& accepted, Outcome outcome);
  void take_turn(ConnectionId id, Instant now);
  void decide_leg(ConnectionId id, Connection& connection, Instant now);
  Principal principal_of(const IpAddress& client) const noexcept;
  void count_clients();
  Verdict admit(const Endpoint& client, const Endpoint& target, Instant now);
  Verdict admit(const Connection& connection, Instant now);
  bool is_refused_now(const Connection& connection) const;
  PopFilter usable_pops(const Endpoint& target, Instant now);
  void measure(const Connection& connection, Way way, Instant now);
  void go_onward(ConnectionId id, Connection& connection, Way way, Instant now);
  std::optional<Ending> begin_back(ConnectionId id, Connection& connection, Way way, bool fresh,
                                   Instant now);
  void go_again(ConnectionId id, Connection& connection, Step step, Instant now);
  void note_connected(const Connection& connection, Instant now);
  void settle(ConnectionId id, Connection& connection, Step step, Instant now);
  void end(ConnectionId id, Connection& connection, Instant now);
  void expire(Instant now);
  void retry(Instant now);
  void count(Outcome outcome) noexcept;
  Pop* pop_of(const Way& way) const noexcept;
  void note_stages(Connection& connection) noexcept;
  void log_end(const Connection& connection) noexcept;
  void log_refusal(Listener::Kind kind, const Accepted& accepted, Outcome outcome) noexcept;

  const int tun_index_;
  UniqueFd epoll_;
  std::unique_ptr<RouteLookup> lookup_;
  Admission admission_;
  std::unique_ptr<LegSource> direct_;
  PopTable pops_;
  std::shared_ptr<ClientRates> client_rates_ = std::make_shared<ClientRates>();
  PathChoice path_choice_;  // with DirectWay::measured
  DirectProbes probes_;
  bool legs_ready_ = false;  // one of them has something to do
  std::vector<Door> doors_;
  SpareFd spare_;
  std::shared_ptr<const Principals> principals_;  // by which clients_ counts
  ClientCounts clients_;
  ClientCounts unclaimed_of_;
  LegCounts legs_of_;
  ClientIndex index_;  // of all connections of clients
  SynBudget syn_budget_;
  std::vector<SynSource*> syns_;
  SynAnswers* answers_ = nullptr;
  PipePool pipes_;
  std::vector<ConnectionId> without_pipe_;
  std::vector<ConnectionId> over_;  // both sides of one of their sockets have ended
  ConnectionLog log_;
  std::uint64_t underway_ = 0;  // connections in `table` whose target is known
  bool draining_ = false;       // no new connections
  bool refusing_ = false;       // and who had come before has been served
  Instant polled_at_;
  Instant ask_again_ = Instant::max();  // the next question to a leg; max: none is in use
  Instant sweep_again_;                 // not before: the next time that all of a PoP's are asked
  std::vector<PopId> swept_pops_, swept_pops_wanted_;  // their legs are asked now, and next
  std::size_t swept_to_ = 0;                           // places of `table`
  Instant accept_again_ = Instant::max(), pipes_again_ = Instant::max();
  Instant coalescing_until_ = Instant::max();  // max: nobody is set apart
  Instant exhausted_said_again_;
  Instant crowd_said_again_;  // when the next crowded-out client may be logged
};

}  // namespace tw::relay
