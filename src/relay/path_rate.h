// What one path carries (from this PoP to another, the way we send), as the legs on it have found
// out; so that a new leg's first flight, which a large initial window leaves without any other
// bound, leaves at a rate that arrives.
//
// Legs that send are members and share the rate. One of them at a time may probe: send a short
// burst above its share, and see an RTT later how fast it came through. While no probe has failed,
// each doubles the rate; after that they are small, and rare if they keep failing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.h"

namespace tw::relay {

class PathShare;

/// What a path has taught its legs, for whoever asks.
struct PathState {
  std::uint64_t rate_bps = 0;  ///< what all legs together may send
  bool limited = false;        ///< by what the path was seen to carry, in the last ten minutes
  std::size_t sending = 0;     ///< legs
  /// Probes that came through, that the path held up, and that neither is said of: the application
  /// had nothing to send, or acknowledgements were late without a queue.
  std::uint64_t passed = 0, failed = 0, undecided = 0;
};

/// Bits a second everywhere, of TCP payload. Not thread-safe: one context has the path and its
/// legs.
class PathRate {
 public:
  /// What is learned loses half of its distance to first_rate in this time without news: others'
  /// traffic and routes change over minutes, and a decayed rate costs a fast path a few RTTs of
  /// probing, where a stale one costs a path that has become narrower half a flight.
  static constexpr Duration half_life = 5min;
  /// For so long a rate at which the path once overflowed is approached with small probes only.
  static constexpr Duration limit_memory = 10min;
  /// Even a path in ruins is asked for so much, or it would never be seen to recover.
  static constexpr std::uint64_t lowest_bps = 500'000;
  static constexpr std::uint64_t highest_bps = 400'000'000'000;

  /// How a leg is told that it must be slower at once, because others have come: its socket and
  /// its new rate.
  using Lower = std::function<void(int socket, std::uint64_t bps)>;

  PathRate(std::uint64_t first_rate_bps, Lower lower);
  PathRate(const PathRate&) = delete;
  PathRate& operator=(const PathRate&) = delete;

  /// Of a path about which nothing is known. What has been learned stays.
  void set_first_rate(std::uint64_t first_rate_bps) noexcept;

  /// The path's least RTT: it starts at ten segments an RTT at least, and is never asked for less,
  /// as any TCP begins. On a short path that is more than what a busy machine, whose looks and
  /// acknowledgements come late, could take for its rate.
  void note_rtt(Duration min_rtt) noexcept;

  /// What all legs together may send.
  std::uint64_t rate_bps(Instant now) const noexcept;
  /// By how much a probe would exceed that, now or when it is next allowed.
  std::uint64_t probe_extra_bps(Instant now) const noexcept;
  /// Whether a probe has failed or bytes got lost at a rate that is still remembered.
  bool limit_known(Instant now) const noexcept { return limit_bps_ > 0 && now < limit_forgotten_; }
  std::size_t members() const noexcept { return members_.size(); }
  PathState state(Instant now) const noexcept;

 private:
  friend class PathShare;
  std::uint64_t stock_bps() const noexcept;
  void learn(std::uint64_t rate_bps, Instant now) noexcept;
  void set_limit(std::uint64_t limit_bps, Instant now) noexcept;
  void lower_all(Instant now) noexcept;

  std::uint64_t configured_bps_;
  Duration min_rtt_ = Duration::zero();  // unknown
  std::uint64_t first_bps_, rate_bps_;   // rate_bps_ as of learned_
  Instant learned_;
  std::uint64_t limit_bps_ = 0;  // 0: none seen
  Instant limit_forgotten_, lowered_again_, next_probe_;
  std::uint32_t probe_pause_rtts_;
  std::vector<PathShare*> members_;
  std::uint32_t taking_ = 0;  // members that could send more
  // Sums over the members.
  std::uint64_t used_bps_ = 0, used_by_taking_bps_ = 0, granted_bps_ = 0;
  const Lower lower_;
  bool probing_ = false;
  std::uint64_t passed_ = 0, failed_ = 0, undecided_ = 0;
};

/// A leg's part of its path. A leg belongs to it only while it sends: idle legs take nothing.
class PathShare {
 public:
  /// `socket` is only handed to PathRate::Lower.
  PathShare(std::shared_ptr<PathRate> path, int socket) noexcept
      : path_(std::move(path)), socket_(socket) {}
  PathShare(PathShare&& other) noexcept { *this = std::move(other); }
  PathShare& operator=(PathShare&& other) noexcept;
  ~PathShare() { leave(); }

  const PathRate& path() const noexcept { return *path_; }
  int socket() const noexcept { return socket_; }

  /// Counts as taking all that it may until report() says otherwise.
  void join(Instant now);
  /// Gives back the share, and the probe if it has it.
  void leave() noexcept;
  void note_rtt(Duration min_rtt) noexcept { path_->note_rtt(min_rtt); }
  /// What it sends; `taking`: pacing held it back. One that is not leaves its rest to the others.
  void report(std::uint64_t used_bps, bool taking) noexcept;
  /// What it may send, or might if it joined. All shares together are the path's rate.
  std::uint64_t bps(Instant now) const noexcept;
  /// It sends at `part` (0 to 1) of its share from now on, and at `extra_bps` more for the moment;
  /// returns the sum. Others who still have more than their shares are lowered to those if the path
  /// would be overrun: since that takes a tenth of its rate, the cost per leg that joins is
  /// constant.
  std::uint64_t grant(double part, std::uint64_t extra_bps, Instant now) noexcept;
  /// The same sum, later: if others have come, perhaps less.
  std::uint64_t granted_bps() const noexcept { return granted_bps_ + extra_bps_; }
  /// What the others send.
  std::uint64_t others_bps() const noexcept { return path_->used_bps_ - used_bps_; }

  /// Whether nobody has the probe, and the last failure is long enough ago.
  bool may_probe(Instant now) const noexcept {
    return !path_->probing_ && now >= path_->next_probe_;
  }
  /// How much more than its share it may send for a moment, if it is the one to probe.
  std::optional<std::uint64_t> take_probe(Instant now) noexcept;
  /// Nothing came of it: the application had nothing to send, or the answer was late.
  void drop_probe() noexcept;
  bool has_probe() const noexcept { return has_probe_; }

  /// The probe came through: the path carries `total_bps`, all legs together.
  void pass_probe(std::uint64_t total_bps, Instant now) noexcept;
  /// It did not: `total_bps` is all there is.
  void fail_probe(std::uint64_t total_bps, Duration rtt, Instant now) noexcept;
  /// Of what was sent only `delivered_share` (0 to 1) was delivered, or as much as is to be sent
  /// from now on. Once per RTT at most, whichever leg says so: they all see the same loss.
  void lower(double delivered_share, Duration rtt, Instant now) noexcept;
  /// Nearly all of the share was used, and arrived: the rate stays known.
  void confirm(Instant now) noexcept;

 private:
  friend class PathRate;
  void return_probe() noexcept;
  bool joined() const noexcept { return path_ != nullptr && place_ < path_->members_.size(); }

  std::shared_ptr<PathRate> path_;  // null: moved from
  int socket_ = -1;
  std::size_t place_ = nowhere;  // among the path's members
  std::uint64_t used_bps_ = 0, granted_bps_ = 0, extra_bps_ = 0;
  bool taking_ = false, has_probe_ = false;

  static constexpr auto nowhere = static_cast<std::size_t>(-1);
};

}  // namespace tw::relay
