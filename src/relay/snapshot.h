// The counters of a relay, as a copy that other contexts may keep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/describe.h"
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

// ---- Names of the counters: base/describe.h

inline constexpr MetricFamily accepted_metric{"relay_accepted_total",
                                              "Connections accepted, by side"};
inline constexpr MetricFamily active_metric{"relay_active", "Connections being relayed",
                                            MetricFamily::Type::gauge};
inline constexpr MetricFamily relay_bytes_metric{"relay_bytes_total",
                                                 "Bytes relayed, by direction"};
inline constexpr MetricFamily outcomes_metric{"relay_outcomes_total", "How connections ended"};
inline constexpr MetricFamily early_syn_metric{"relay_early_syn_total",
                                               "SYNs seen before their handshakes were complete"};
inline constexpr MetricFamily held_syns_metric{"relay_held_syns_total",
                                               "SYNs held until their servers had answered"};
inline constexpr MetricFamily client_starts_metric{"relay_client_starts_total",
                                                   "Connections that started faster by memory"};
inline constexpr MetricFamily known_clients_metric{
    "relay_known_clients", "Clients whose path is remembered", MetricFamily::Type::gauge};
inline constexpr MetricFamily legs_metric{"relay_legs_total",
                                          "Legs to other PoPs, by what became of them"};
inline constexpr MetricFamily usable_metric{"relay_pop_usable",
                                            "1: new connections go by this PoP; 0: it is not heard",
                                            MetricFamily::Type::gauge};
inline constexpr MetricFamily legs_here_metric{
    "relay_pop_legs", "Legs that this PoP has opened to us", MetricFamily::Type::gauge};
inline constexpr MetricFamily legs_over_metric{
    "relay_pop_legs_refused_total",
    "Legs of this PoP that were refused, as it has as many as it may"};

template <typename Visitor>
void describe(Visitor& visit, const EarlySynCounters& of) {
  const MetricFamily* const syns = &early_syn_metric;
  visit.number("seen", of.seen, {syns, "what", "seen", "seen"});
  visit.number("begun", of.begun, {syns, "what", "begun", "begun"});
  visit.number("claimed", of.claimed, {syns, "what", "claimed", "claimed"});
  visit.number("unclaimed", of.unclaimed, {.words = "waiting"});
  visit.number("over_budget", of.over_budget, {syns, "what", "over_budget", "over budget"});
  visit.number("late", of.late, {syns, "what", "late"});
  visit.number("wrong_device", of.wrong_device, {syns, "what", "wrong_device"});
}

template <typename Visitor>
void describe(Visitor& visit, const HeldSynCounters& of) {
  const MetricFamily* const syns = &held_syns_metric;
  visit.number("held", of.held, {syns, "what", "held", "held"});
  visit.number("passed", of.passed, {syns, "what", "passed", "passed"});
  visit.number("refused", of.refused, {syns, "what", "refused", "refused"});
  visit.number("repeated", of.repeated, {syns, "what", "repeated", "repeated"});
  visit.number("waiting", of.waiting, {.words = "waiting"});
}

template <typename Visitor>
void describe(Visitor& visit, const ClientStartCounters& of) {
  visit.flag("enabled", of.enabled);
  visit.flag("possible", of.possible);
  visit.number("known_clients", of.known,
               {.family = &known_clients_metric, .words = "clients known"});
  visit.number("starts", of.starts, {.family = &client_starts_metric, .words = "faster starts"});
}

template <typename Visitor>
void describe(Visitor& visit, const PopCounters& of) {
  const MetricFamily* const legs = &legs_metric;
  visit.text("name", of.name);
  visit.flag("usable", of.usable, {&usable_metric});
  visit.number("legs_opened", of.legs_opened, {legs, "what", "opened", "legs used"});
  visit.number("legs_failed", of.legs_failed, {legs, "what", "failed", "failed"});
  visit.number("legs_silent", of.silent, {legs, "what", "silent"});
  visit.number("connections_left", of.left, {legs, "what", "left"});
  visit.number("legs_here", of.legs_here, {.words = "legs from there"});
  visit.number("waiting_here", of.waiting_here,
               {&legs_here_metric, "what", "waiting", "of them waiting"});
  visit.sample(of.legs_here - of.waiting_here, {&legs_here_metric, "what", "in_use"});
  visit.number("refused_here", of.refused_here,
               {.family = &legs_over_metric, .words = "more refused"});
  visit.text("legs", of.legs == Legs::any ? "any" : "authenticated");
  visit.group("last_leg", [&] { describe(visit, of.proof); });
  visit.number("refused_clients", of.refused_clients, {&refused_legs_metric, "reason", "client"});
  visit.group("warm", [&] { describe(visit, of.warm); });
  visit.optional("path", of.path, [&](const PathState& path) { describe(visit, path); });
}

template <typename Visitor>
void describe(Visitor& visit, const RelaySnapshot& of) {
  visit.number("active", of.active, {.family = &active_metric, .words = "active"});
  visit.number("accepted_clients", of.accepted_clients,
               {&accepted_metric, "side", "client", "from clients"});
  visit.number("accepted_legs", of.accepted_legs, {&accepted_metric, "side", "leg", "from legs"});
  visit.number("waiting_legs", of.waiting_legs);
  visit.number("bytes_upstream", of.bytes_upstream,
               {&relay_bytes_metric, "direction", "upstream", "up", true});
  visit.number("bytes_downstream", of.bytes_downstream,
               {&relay_bytes_metric, "direction", "downstream", "down", true});
  visit.each(
      "outcomes", outcome_count, [](std::size_t i) { return name_of(static_cast<Outcome>(i)); },
      [&](std::size_t i) { return i < of.outcomes.size() ? of.outcomes[i] : 0; },
      {.family = &outcomes_metric, .label = "outcome"}, Zeros::kept);
  visit.group("early_syn", [&] { describe(visit, of.early_syn); });
  visit.text("accept", of.accept == Accept::verified ? "verified" : "early");
  visit.group("held_syns", [&] { describe(visit, of.held_syns); });
  visit.group("client_start", [&] { describe(visit, of.client_start); });
  visit.group("buffers", [&] { describe(visit, of.buffers); });
  visit.group("stages", [&] { describe(visit, of.stages); });
  visit.group("log", [&] { describe(visit, of.log); });
  visit.list(
      "pops", of.pops, [](const PopCounters& pop) { return MetricLabels{{"pop", pop.name}}; },
      [&](const PopCounters& pop) { describe(visit, pop); });
}

}  // namespace tw::relay
