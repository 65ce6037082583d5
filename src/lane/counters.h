// The counters of a lane. For each direction, in segments,
//   received + taken over + generated = sent + consumed + passed on + dropped + queued
// holds whenever the lane is not in the middle of a batch. `queued` is a gauge: to the wire, what
// waits for a handshake; from the wire, SYNs held until their servers have answered. Such a SYN
// ends as sent, as consumed (its sender gets a generated reset), or as dropped.
#pragma once

#include <cstdint>

#include "base/counter.h"
#include "base/describe.h"

namespace tw::lane {

struct DirectionCounters {
  Counter received;        ///< segments that came in: from the wire, or from the TUN
  Counter received_bytes;  ///< as they came: datagrams, or inner packets
  Counter generated;       ///< made here: keepalives, handshake messages, ICMP errors
  Counter sent;            ///< segments that left: to the TUN, or to the wire
  Counter sent_bytes;
  Counter consumed;  ///< ended here as they should: keepalives, handshake messages handed on
  /// Segments of sessions that another worker owns, and those that others have passed on to this
  /// one: of all workers together the two differ by what lies between them.
  Counter passed_on, taken_over;
  DropCounters drops;

  /// Packets waiting inside: what the conservation rule leaves over.
  std::int64_t queued() const noexcept {
    return static_cast<std::int64_t>(received.value() + taken_over.value() + generated.value()) -
           static_cast<std::int64_t>(sent.value() + consumed.value() + passed_on.value() +
                                     drops.total());
  }
};

struct LaneCounters {
  DirectionCounters from_wire;
  DirectionCounters to_wire;
  Counter open_batches, open_jobs;  ///< jobs ÷ batches = how well decryption batches
  Counter seal_batches, seal_jobs;
};

/// The counters of the handshake context. The lane that hands a message on counts it `consumed`.
struct HandshakeCounters {
  Counter received;
  Counter processed;
  Counter initiations_sent, responses_sent, cookies_sent;
  Counter established;
  Counter events_lost;  ///< found the ring to the worker full: the protocol repeats what they said
  DropCounters drops;
};

inline constexpr MetricFamily segments_metric{
    "segments_total", "Segments by worker, direction and what became of them"};
inline constexpr MetricFamily bytes_metric{"bytes_total", "Bytes by worker, direction and side"};
inline constexpr MetricFamily queued_metric{"queued_segments", "Segments waiting for a handshake",
                                            MetricFamily::Type::gauge};
inline constexpr MetricFamily handshake_messages_metric{
    "handshake_messages_total", "Handshake messages by what became of them"};
inline constexpr MetricFamily handshakes_metric{"handshakes_total", "Handshakes completed"};

template <typename Visitor>
void describe(Visitor& visit, const DirectionCounters& of) {
  const MetricFamily* const segments = &segments_metric;
  visit.number("received", of.received.value(), {segments, "what", "received", "in"});
  visit.number("sent", of.sent.value(), {segments, "what", "sent", "out"});
  visit.number("received_bytes", of.received_bytes.value(),
               {&bytes_metric, "side", "in", "in bytes", true});
  visit.number("sent_bytes", of.sent_bytes.value(),
               {&bytes_metric, "side", "out", "out bytes", true});
  visit.number("generated", of.generated.value(), {segments, "what", "generated", "generated"});
  visit.number("consumed", of.consumed.value(), {segments, "what", "consumed"});
  visit.number("passed_on", of.passed_on.value(), {segments, "what", "passed_on"});
  visit.number("taken_over", of.taken_over.value(), {segments, "what", "taken_over"});
  visit.number("queued", of.queued(), {.family = &queued_metric, .words = "queued"});
  describe(visit, of.drops);
}

template <typename Visitor>
void describe(Visitor& visit, const LaneCounters& of) {
  visit.labelled({{"direction", "from_wire"}},
                 [&] { visit.group("from_wire", [&] { describe(visit, of.from_wire); }); });
  visit.labelled({{"direction", "to_wire"}},
                 [&] { visit.group("to_wire", [&] { describe(visit, of.to_wire); }); });
  visit.number("open_batches", of.open_batches.value());
  visit.number("open_jobs", of.open_jobs.value());
  visit.number("seal_batches", of.seal_batches.value());
  visit.number("seal_jobs", of.seal_jobs.value());
}

template <typename Visitor>
void describe(Visitor& visit, const HandshakeCounters& of) {
  const MetricFamily* const messages = &handshake_messages_metric;
  visit.number("received", of.received.value(), {messages, "what", "received"});
  visit.number("processed", of.processed.value(), {messages, "what", "processed"});
  visit.number("established", of.established.value(), {&handshakes_metric});
  visit.number("initiations_sent", of.initiations_sent.value(),
               {messages, "what", "initiation_sent"});
  visit.number("responses_sent", of.responses_sent.value(), {messages, "what", "response_sent"});
  visit.number("cookies_sent", of.cookies_sent.value(), {messages, "what", "cookie_sent"});
  visit.number("events_lost", of.events_lost.value(), {messages, "what", "event_lost"});
  visit.labelled({{"worker", "handshakes"}, {"direction", "from_wire"}},
                 [&] { describe(visit, of.drops); });
}

}  // namespace tw::lane
