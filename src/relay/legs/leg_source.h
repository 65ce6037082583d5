// The source of onward halves. A request says for whom and where to; whether the answer is a fresh
// connection or one that was kept warm is the source's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/describe.h"
#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "relay/proof/pop_proof.h"
#include "relay/stream/first_bytes.h"
#include "wire/address.h"

namespace tw::relay {

struct LegRequest {
  Endpoint client;  ///< that asked for it; told to the next PoP
  Endpoint target;
  /// Not a warm one: the last was dead, and the others may be.
  bool fresh = false;
  /// The client's SYN carried data that is here now: it consents to a replay of it (RFC 7413, 6),
  /// so the connection to the target may begin with it too.
  bool fast_open = false;
  std::uint8_t hops = 1;  ///< PoPs it has come through, this one included
  /// The client waits for the target's answer: a leg is to pass it on (Leg::answers).
  bool answer = false;
  /// Nobody knows yet that the client is there: its server is not to send much before.
  bool unclaimed = false;
};

/// An onward connection, being made or made already.
struct Leg {
  UniqueFd socket;         ///< non-blocking; writable once it is connected
  FirstBytes header;       ///< goes out before the client's bytes; may be empty
  bool connected = false;  ///< writable now: the header need not wait for an event
  bool warm = false;       ///< was established before anybody asked for it
  /// Says when the target's server has accepted the connection, before anything else
  /// (leg_header.h). False: to be connected is the answer.
  bool answers = false;
  /// A leg: it may receive held_memory until it is opened (receive_window.h).
  bool held = false;
  /// Only from the second byte on that leaves: the first goes by itself.
  bool held_late = false;
  /// Straight to an unclaimed target: what free_memory() gives back when the client is there.
  std::uint32_t bound_from = 0;
  /// The header is to be sealed by this when the leg is connected (pop_proof.h); null: it is as it
  /// is to be.
  std::shared_ptr<PopProof> proof{};
};

/// Warm legs of a source, and what became of them. Every one that was `opened` is idle, or was
/// used (a hit), or is counted in exactly one of expired, died and surplus.
struct LegSourceState {
  std::size_t idle = 0;        ///< established, waiting to be used
  std::size_t connecting = 0;  ///< on their way to that
  std::size_t target = 0;      ///< as many as there should be
  std::uint64_t hits = 0;      ///< acquired warm
  std::uint64_t misses = 0;    ///< wanted when there was none, and connected afresh
  std::uint64_t opened = 0;    ///< established for the pool
  std::uint64_t failed = 0;    ///< attempts that were not
  std::uint64_t expired = 0;   ///< closed in order, unused, for their age
  std::uint64_t died = 0;      ///< ended by the other side, or by keepalive
  std::uint64_t surplus = 0;  ///< closed in order, unused: fewer are wanted, or the path is another
  std::uint32_t failures_in_row = 0;  ///< to connect, since a leg last lived; 0: all is well
  Duration connect_rtt{0};            ///< smoothed, as TCP measured it at connecting; 0: unknown
};

inline constexpr MetricFamily warm_legs_metric{"relay_warm_legs_total",
                                               "Warm legs, by what became of them"};
inline constexpr MetricFamily warm_idle_metric{"relay_warm_legs_idle", "Warm legs that wait",
                                               MetricFamily::Type::gauge};

template <typename Visitor>
void describe(Visitor& visit, const LegSourceState& of) {
  const MetricFamily* const legs = &warm_legs_metric;
  visit.number("idle", of.idle, {.family = &warm_idle_metric, .words = "idle"});
  visit.number("connecting", of.connecting);
  visit.number("target", of.target, {.words = "wanted"});
  visit.number("hits", of.hits, {legs, "what", "hit", "hits"});
  visit.number("misses", of.misses, {legs, "what", "miss", "misses"});
  visit.number("opened", of.opened, {legs, "what", "opened"});
  visit.number("failed", of.failed, {legs, "what", "failed"});
  visit.number("expired", of.expired, {legs, "what", "expired"});
  visit.number("died", of.died, {legs, "what", "died", "died"});
  visit.number("surplus", of.surplus, {legs, "what", "surplus"});
  visit.number("failures_in_row", of.failures_in_row);
  visit.time("connect_rtt_us", of.connect_rtt);
}

/// One context uses a source; nothing here locks.
class LegSource {
 public:
  virtual ~LegSource() = default;
  /// Never blocks. Fails if the connection could not even be begun.
  virtual Result<Leg> acquire(const LegRequest& request, Instant now) = 0;

  /// Readable when poll() has something to do between requests; -1: never.
  /// Constant while the source lives.
  virtual int wait_fd() const noexcept { return -1; }
  /// Due when wait_fd() is readable or next_deadline() has come. Never blocks.
  virtual void poll(Instant /*now*/) {}
  /// Instant::max() if never. acquire() and new settings may bring it forward.
  virtual Instant next_deadline() const noexcept { return Instant::max(); }
  virtual LegSourceState state() const noexcept { return {}; }
  /// Closes in order what is idle, and keeps nothing warm from now on. acquire() goes on, with
  /// fresh connections.
  virtual void close_idle() noexcept {}
};

}  // namespace tw::relay
