// Starts a leg, each time that it has much to send after a pause, with the window that its
// path is known to carry, paced over a round trip (Careful Resume, RFC 9959). As soon as
// acknowledgements come back the leg's congestion control governs, and nothing of ours bounds it.
// Meanwhile, at leisure, this looks at what the leg reaches, and the path remembers that.
//
// Nothing is done before a leg has written more than an initial window: most answers are over by
// then. Where the kernel has no Resumer, the window is the route's, and this paces its first round
// trip.
//
//   resting ──▶ watching ──▶ resting      (without a Resumer: resting ──▶ paced ──▶ watching)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/time.h"
#include "relay/pacing/path_rate.h"
#include "relay/pacing/resumer.h"
#include "relay/pacing/tcp_sample.h"

namespace tw::relay {

/// The rule: samples come in, starts and what the path learns come out.
class LegRule {
 public:
  /// `most`: segments of a first window.
  LegRule(std::shared_ptr<PathRate> path, std::uint32_t most) noexcept
      : share_(std::move(path)), most_(most) {}

  /// The leg has much to send. Returns the window that is to be opened for it; nothing if it is
  /// better off as it is: the path is short, or its own window is as large.
  std::optional<Resumer::Start> begin(const TcpSample& sample, Instant now) noexcept;
  /// Learns from what the leg has delivered. `found`: the outcome of its start, if the kernel had
  /// one. Returns false if it sends no more, and has to begin() again.
  bool review(const TcpSample& sample, const std::optional<Resumer::Found>& found,
              Instant now) noexcept;
  /// It is over.
  void end() noexcept;

  bool has_begun() const noexcept { return share_.has_joined(); }
  /// Until the next review().
  static Duration interval(const TcpSample& sample) noexcept;
  const PathRate& path() const noexcept { return share_.path(); }
  /// The rate that it would begin with now, bits a second.
  std::uint64_t bps(Instant now) const noexcept { return share_.bps(now); }

 private:
  void learn(const TcpSample& sample, const std::optional<Resumer::Found>& found, bool lossy,
             Instant now) noexcept;
  void judge(PathShare::Verdict verdict) noexcept;

  PathShare share_;
  std::uint32_t most_;
  bool judged_ = false;
  bool near_limit_ = false;          // the path's, when it began or as it has reported
  std::uint64_t granted_bytes_ = 0;  // the window that it began with
  std::uint64_t begun_delivered_ = 0;
  std::uint64_t sent_ = 0, delivered_ = 0, retransmitted_ = 0;  // at the last look
  Duration reader_held_{};
  Instant looked_;
};

class LegStart {
 public:
  /// The initial window of RFC 6928.
  static constexpr std::uint64_t unwatched_bytes = 10 * std::uint64_t{1380};

  /// `socket` stays the caller's; this goes first. `resumer` may be null.
  LegStart(std::shared_ptr<PathRate> path, std::uint32_t most, int socket,
           Resumer* resumer) noexcept
      : rule_(std::move(path), most), resumer_(resumer), socket_(socket) {}

  /// When the leg has got its target, before its first byte. Costs something only without a
  /// Resumer.
  void prepare(Instant now) noexcept;
  /// `total_bytes`: handed to the socket since it was opened. Cheap: for after each write.
  void on_written(std::uint64_t total_bytes, Instant now) noexcept {
    written_ = total_bytes;
    if (phase_ == Phase::resting && total_bytes >= begin_at_) begin(now);
  }
  /// When drive() is due; Instant::max() at rest. Late costs precision of what is learned. Changes
  /// in on_written() and drive() only.
  Instant deadline() const noexcept { return deadline_; }
  void drive(Instant now) noexcept;
  /// Before the socket is closed: what it has reached is learned.
  void finish(Instant now) noexcept;

 private:
  enum class Phase : std::uint8_t { resting, paced, watching };
  std::optional<Resumer::Found> found() const noexcept;
  void begin(Instant now) noexcept;
  void rest(Instant now) noexcept;
  void give_up() noexcept;

  LegRule rule_;
  Resumer* resumer_;
  int socket_;
  Phase phase_ = Phase::resting;
  bool capped_ = false;   // by a pacing rate of ours
  bool resumed_ = false;  // the kernel has had a start of the socket
  std::uint64_t written_ = 0, begin_at_ = unwatched_bytes;
  Instant deadline_ = Instant::max();
};

}  // namespace tw::relay
