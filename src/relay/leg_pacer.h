// How fast one leg sends (SO_MAX_PACING_RATE), beginning with what its path is known to carry.
//
// An RTT must pass before a rate is known to arrive. Doubling blindly meanwhile would put half a
// bandwidth-delay product too much into the bottleneck's queue. So the faster rate is tried in a
// burst of an eighth of an RTT, then the proven one is kept until the burst's acknowledgements
// are due; how much has arrived by then is the verdict. A bottleneck makes a queue, or loses; what
// is late without either waited for a reader or for a busy machine, and proves nothing. A burst
// twice too fast costs a queue of an eighth of a bandwidth-delay product, at most; and the burst
// comes first in the flight, so a download that is over within an RTT has tried one too.
//
//   resting ──▶ burst ──▶ flight ──▶ cruising      (flight, cruising ──▶ burst when it may probe)
//
// The rule is pure: a sample comes in, a rate comes out. At rest it wants no calls at all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/time.h"
#include "relay/path_rate.h"

namespace tw::relay {

/// What TCP_INFO says of a sending socket. Sums are of payload, since the connection began.
struct TcpSample {
  Duration rtt{}, min_rtt{};          ///< smoothed; the least of the last minutes
  std::uint64_t sent_bytes = 0;       ///< again as well as for the first time
  std::uint64_t delivered_bytes = 0;  ///< acknowledged, also selectively
  std::uint64_t retransmitted_bytes = 0;
  std::uint64_t notsent_bytes = 0;  ///< in the send buffer, and never sent
  /// Bits a second at which the last flight was delivered that the application did not bound; if it
  /// bounded all, the fastest.
  std::uint64_t delivery_bps = 0;
};
/// Fails only if `socket` is not TCP.
Result<TcpSample> read_tcp_sample(int socket) noexcept;
/// Lowering works at once. After raising, the kernel goes on at the old rate until it hears the
/// next acknowledgement of data: with nothing in flight that is an RTT after the next byte.
Result<void> set_pacing_rate(int socket, std::uint64_t bits_per_s) noexcept;
/// PathRate::Lower for legs that are sockets. One that refuses keeps its rate.
void lower_socket(int socket, std::uint64_t bits_per_s) noexcept;

class LegPacer {
 public:
  /// So much may leave a resting leg before the pacer wakes up: it leaves at resting_bps(), and
  /// most answers are over by then.
  static constexpr std::uint64_t unwatched_bytes = 32U << 10U;

  /// `socket` stays the caller's; the pacer goes first.
  LegPacer(std::shared_ptr<PathRate> path, int socket) noexcept : share_(std::move(path), socket) {}

  /// What a leg is to be set to before its first byte; later on_sample() says.
  std::uint64_t resting_bps(Instant now) const noexcept;
  /// `total_bytes`: handed to the socket since it was opened. Cheap: for after each write.
  void on_written(std::uint64_t total_bytes, Instant now) noexcept {
    if (phase_ == Phase::resting && total_bytes >= watch_from_) deadline_ = now;
    written_bytes_ = total_bytes;
  }
  /// When a sample is due; Instant::max() at rest. A few ms late costs precision, later than the
  /// burst was long the verdict on it; nothing else. Changes in on_written() and on_sample() only.
  Instant deadline() const noexcept { return deadline_; }
  /// Returns the rate to set, if it is another.
  std::optional<std::uint64_t> on_sample(const TcpSample& sample, Instant now);
  /// Sets the socket to resting_bps(): when the leg has got its target, before its first byte.
  void start(Instant now) noexcept;
  /// When deadline() is due: samples the socket and sets its rate. A socket that refuses is left
  /// alone from then on.
  void drive(Instant now) noexcept;
  /// Bytes, or the end, wait in the socket for their turn.
  bool has_unsent() const noexcept;

 private:
  enum class Phase : std::uint8_t { resting, burst, flight, cruising };
  struct Mark {
    Instant at;
    std::uint64_t sent = 0, delivered = 0, retransmitted = 0;
  };
  /// What an RTT has told of a burst.
  struct Answer {
    std::uint64_t delivered_bps = 0, lost_bytes = 0;
    bool valid = false;     // heard in time
    bool lossy = false;     // by more than chance
    bool narrower = false;  // the path carries less than was known
  };
  static Mark mark(const TcpSample& sample, Instant now) noexcept;

  void begin(const TcpSample& sample, Instant now);
  void rest(Instant now) noexcept;
  void start_burst(std::uint64_t extra_bps, Duration time, Instant until, const TcpSample& sample,
                   Instant now) noexcept;
  void end_burst(const TcpSample& sample, Instant now) noexcept;
  void judge(const TcpSample& sample, Instant now) noexcept;
  Answer measure(const TcpSample& sample, Instant now) const noexcept;
  bool judge_probe(const Answer& answer, const TcpSample& sample, Instant now) noexcept;
  void give_up() noexcept;
  bool try_probe(const TcpSample& sample, Instant now) noexcept;
  void cruise(const TcpSample& sample, Instant now) noexcept;
  double delivered_share(const TcpSample& sample, Duration time) const noexcept;
  void review(const TcpSample& sample, Instant now) noexcept;

  PathShare share_;
  Phase phase_ = Phase::resting;
  bool was_held_back_ = false;      // by pacing, in the last review
  std::uint64_t rate_bps_ = 0;      // set; 0: never
  std::uint64_t proven_bps_ = 0;    // the share when the burst began
  std::uint64_t burst_bps_ = 0;     // as it was really sent
  std::uint64_t reviewed_bps_ = 0;  // sent in the interval before review_
  std::uint64_t left_bytes_ = 0;    // not sent yet when it ended
  Duration burst_time_{};
  Instant answer_due_;   // an RTT after the burst
  Instant burst_until_;  // the application has not sent one by then: no burst
  Mark burst_, review_;
  std::uint64_t written_bytes_ = 0, watch_from_ = unwatched_bytes;
  Instant deadline_ = Instant::max();
};

}  // namespace tw::relay
