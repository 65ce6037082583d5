// Remembers the rate that the path to another PoP carries, as its legs have found out: the next one
// goes on where they are, or were a moment ago, and need not begin from nothing (RFC 9040 calls
// that sharing control blocks, RFC 9959 resuming). It says how a leg starts, and nothing else:
// later its congestion control governs alone.
//
// All legs to a PoP have one path. What is known is fades in minutes. Pure rules; no sockets, no
// clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/describe.h"
#include "base/time.h"

namespace tw::relay {

/// A path as the operator sees it. Bits a second.
struct PathState {
  std::uint64_t rate_bps = 0;  ///< the rate of all legs together at their start
  bool limited = false;        ///< it was seen to carry no more, lately
  std::size_t sending = 0;     ///< legs
  /// Starts whose first window was delivered; that lost more than by chance; and that were over
  /// before either was known.
  std::uint64_t passed = 0, failed = 0, undecided = 0;
};

inline constexpr MetricFamily path_rate_metric{"relay_path_rate_bits_per_second",
                                               "What the legs to this PoP together may send",
                                               MetricFamily::Type::gauge};
inline constexpr MetricFamily path_probes_metric{
    "relay_path_probes_total", "Starts of legs, by what became of their first window"};

template <typename Visitor>
void describe(Visitor& visit, const PathState& of) {
  const MetricFamily* const probes = &path_probes_metric;
  visit.number("rate_bps", of.rate_bps, {&path_rate_metric});
  visit.flag("limited", of.limited);
  visit.number("sending", of.sending, {.words = "legs sending"});
  visit.number("probes_passed", of.passed, {probes, "what", "passed", "starts passed"});
  visit.number("probes_failed", of.failed, {probes, "what", "failed", "failed"});
  visit.number("probes_undecided", of.undecided, {probes, "what", "undecided", "undecided"});
}

/// Bits a second everywhere, of TCP payload. Not thread-safe: one context has the path and its
/// legs.
class PathRate {
 public:
  /// A learned rate loses half of its distance to first_rate in this time without news: others'
  /// traffic and routes change over minutes. A decayed rate costs a fast path a round trip or two,
  /// a stale one costs a path that has become narrower half a flight.
  static constexpr Duration half_life = 5min;
  /// For so long more than a rate at which the path once overflowed is tried with care; and more
  /// than one at which a burst was held up, which a busy machine may have feigned.
  static constexpr Duration overflow_memory = 10min, limit_memory = 1min;
  /// For so long the least RTT counts: routes change.
  static constexpr Duration rtt_memory = 10min;
  /// On a shorter path slow start takes some tens of ms to reach any rate, and what a busy machine
  /// does to round trips is more than the path: its legs start as any TCP does.
  static constexpr Duration shortest_rtt = 5ms;
  /// Even a path in ruins is asked for so much, or it would never be seen to recover.
  static constexpr std::uint64_t lowest_bps = 500'000;
  static constexpr std::uint64_t highest_bps = 400'000'000'000;

  explicit PathRate(std::uint64_t first_rate_bps) noexcept;
  PathRate(const PathRate&) = delete;
  PathRate& operator=(const PathRate&) = delete;

  /// Sets the rate of a path about which nothing is known. A learned rate stays.
  void set_first_rate(std::uint64_t first_rate_bps) noexcept;

  /// A leg's least RTT, above zero.
  void note_rtt(Duration min_rtt, Instant now) noexcept;
  /// The path's; zero: not known, or not any more.
  Duration rtt(Instant now) const noexcept;
  /// Its legs start as any TCP does.
  bool is_short(Instant now) const noexcept;

  /// The rate that all legs together may start with.
  std::uint64_t rate_bps(Instant now) const noexcept;
  /// It was seen to carry no more, and that is still remembered.
  bool is_limited(Instant now) const noexcept { return now < limit_forgotten_; }
  PathState state(Instant now) const noexcept;

 private:
  friend class PathShare;
  void learn(std::uint64_t rate_bps, Instant now) noexcept;
  void limit_until(Instant forgotten) noexcept;

  std::uint64_t first_bps_, rate_bps_;  // rate_bps_ as of learned_
  Instant learned_, limit_forgotten_;
  Duration rtt_{};
  Instant rtt_noted_;
  std::size_t sending_ = 0;  // legs that have joined
  // Sums over them: what they use, which is all that they may as long as nobody has looked; and
  // what was seen.
  std::uint64_t used_bps_ = 0, seen_bps_ = 0;
  std::uint64_t passed_ = 0, failed_ = 0, undecided_ = 0;
};

/// A leg's part of its path. It belongs to it only while it sends.
class PathShare {
 public:
  explicit PathShare(std::shared_ptr<PathRate> path) noexcept : path_(std::move(path)) {}
  PathShare(PathShare&& other) noexcept { *this = std::move(other); }
  PathShare& operator=(PathShare&& other) noexcept;
  ~PathShare() { leave(); }

  PathRate& path() noexcept { return *path_; }
  const PathRate& path() const noexcept { return *path_; }

  /// The rate that it may start with: as much as the others leave, and some even if they leave
  /// none. All that start at one moment get less than twice the path's rate together.
  std::uint64_t bps(Instant now) const noexcept;
  /// Counts as using all that it may until report() says otherwise. Again: as it is.
  void join(Instant now) noexcept;
  void leave() noexcept;
  bool has_joined() const noexcept { return joined_; }
  /// Delivers so much, as was seen.
  void report(std::uint64_t bps) noexcept;

  enum class Finding : std::uint8_t {
    carries,  ///< the leg's window was delivered: the path carries that at least
    narrow,   ///< the leg has no more, though it has more to send
    full,     ///< the path carries no more: it held bursts up
    lossy,    ///< the same: more was lost than by chance
  };
  /// `own_bps`: what the leg's window makes in a round trip; what the others deliver is added.
  void learn(Finding finding, std::uint64_t own_bps, Instant now) noexcept;

  enum class Verdict : std::uint8_t { passed, failed, undecided };
  void count(Verdict verdict) noexcept;

 private:
  void use(std::uint64_t used_bps, std::uint64_t seen_bps) noexcept;

  std::shared_ptr<PathRate> path_;  // null: moved from
  std::uint64_t used_bps_ = 0, seen_bps_ = 0;
  bool joined_ = false;
};

}  // namespace tw::relay
