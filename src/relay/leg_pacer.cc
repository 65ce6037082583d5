#include "relay/leg_pacer.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace tw::relay {
namespace {

constexpr int burst_parts = 8;            // bursts in an RTT
constexpr Duration shortest_burst = 5ms;  // shorter ones drown in the machine's own lateness
constexpr Duration shortest_fast_burst = 10ms;
constexpr double largest_excess_bytes = 2e6;
constexpr Duration shortest_patience = 1ms;  // acknowledgements are late by so much on any path
constexpr Duration shortest_review = 20ms;
constexpr Duration unmeasured_rtt = 100ms;
// A path that is not probed is measured too, when a leg begins: over so many bursts' time.
constexpr int plain_bursts = 3;

constexpr double held_back_share = 0.85;  // of its pacing rate: it would send more
constexpr double probe_from = 1.1;        // times the proven rate: faster, or it proves nothing
constexpr double passed_part = 0.7;       // of what a burst exceeds the proven rate by
constexpr double all_but_noise = 0.97;
constexpr double narrower_share = 0.8;    // of the proven rate delivered: no hiccup explains it
constexpr double tolerated_loss = 0.02;   // retransmitted: radio links and hiccups lose as much
constexpr double below_delivered = 0.95;  // so that what queues drains
constexpr double draining_share = 0.9;    // of the leg's share while a queue stands
constexpr std::uint64_t few_trains = 4U << 16U;  // the kernel sends 64 KB at a time on short paths
constexpr std::uint64_t few_bytes = 6000;        // retransmitted by chance within one burst

Duration rtt_of(const TcpSample& sample) noexcept {
  return sample.rtt > Duration::zero() ? sample.rtt : unmeasured_rtt;
}

// Long enough to be measured, and short where the path is fast: queues are rarely made for more
// than some megabytes.
Duration burst_time(Duration rtt, std::uint64_t extra_bps) noexcept {
  const Duration part = std::max(rtt / burst_parts, shortest_burst);
  const double full_s = largest_excess_bytes * 8 / static_cast<double>(extra_bps + 1);
  if (full_s > std::chrono::duration<double>(part).count()) return part;
  const auto full = Duration{static_cast<std::int64_t>(full_s * 1e9)};
  return std::clamp(full, std::min(shortest_fast_burst, part), part);
}

// A few ms are the machine's and its neighbours'; an eighth to a sixteenth of an RTT is what a
// bottleneck's queue adds when it does not drain.
bool queue_stands(const TcpSample& sample) noexcept {
  return sample.min_rtt > Duration::zero() &&
         sample.rtt > sample.min_rtt + sample.min_rtt / 16 + Duration{3ms};
}

std::uint64_t rate_of(std::uint64_t bytes, Duration time) noexcept {
  if (time <= Duration::zero()) return 0;
  const double seconds = std::chrono::duration<double>(time).count();
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * 8 / seconds);
}
std::uint64_t bytes_in(std::uint64_t bps, Duration time) noexcept {
  const double seconds = std::chrono::duration<double>(time).count();
  return static_cast<std::uint64_t>(static_cast<double>(bps) * seconds / 8);
}
std::uint64_t scale(std::uint64_t bps, double factor) noexcept {
  return static_cast<std::uint64_t>(static_cast<double>(bps) * factor);
}
double share_of(std::uint64_t part, std::uint64_t whole) noexcept {
  return whole == 0 ? 1 : static_cast<double>(part) / static_cast<double>(whole);
}
// Selective acknowledgements come and go: a sum may step back by a segment.
std::uint64_t since(std::uint64_t earlier, std::uint64_t later) noexcept {
  return later > earlier ? later - earlier : 0;
}

// What a bottleneck holds up waits in its queue, and round trips grow by as much: by now those of
// the part that has arrived. Acknowledgements that are late without it are the receiver's, which
// delays them while nobody reads, or the machine's.
bool queue_explains(Duration burst_time, std::uint64_t burst_bps, std::uint64_t delivered_bps,
                    const TcpSample& sample) noexcept {
  const std::chrono::duration<double> time = burst_time, grown = sample.rtt - sample.min_rtt;
  const double queued_s = time.count() * (1 - share_of(delivered_bps, burst_bps));
  return grown.count() >= queued_s / 3;  // smoothed: it lags
}

}  // namespace

Result<TcpSample> read_tcp_sample(int socket) noexcept {
  tcp_info read{};
  socklen_t size = sizeof read;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &read, &size) != 0) {
    return system_error("read TCP_INFO");
  }
  const auto time = [](std::uint32_t us) { return Duration{std::chrono::microseconds{us}}; };
  // The kernel's "never measured" is the largest number.
  const bool measured = read.tcpi_min_rtt != std::numeric_limits<std::uint32_t>::max();
  return TcpSample{.rtt = time(read.tcpi_rtt),
                   .min_rtt = measured ? time(read.tcpi_min_rtt) : Duration::zero(),
                   .sent_bytes = read.tcpi_bytes_sent,
                   .delivered_bytes =
                       read.tcpi_bytes_acked + std::uint64_t{read.tcpi_sacked} * read.tcpi_snd_mss,
                   .retransmitted_bytes = read.tcpi_bytes_retrans,
                   .notsent_bytes = read.tcpi_notsent_bytes,
                   .delivery_bps = read.tcpi_delivery_rate * 8};
}

Result<void> set_pacing_rate(int socket, std::uint64_t bits_per_s) noexcept {
  const std::uint64_t bytes_per_s = bits_per_s / 8;
  if (::setsockopt(socket, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_s, sizeof bytes_per_s) != 0) {
    return system_error("set a pacing rate");
  }
  return {};
}

void lower_socket(int socket, std::uint64_t bits_per_s) noexcept {
  static_cast<void>(set_pacing_rate(socket, bits_per_s));
}

LegPacer::Mark LegPacer::mark(const TcpSample& sample, Instant now) noexcept {
  return {now, sample.sent_bytes, sample.delivered_bytes, sample.retransmitted_bytes};
}

std::uint64_t LegPacer::resting_bps(Instant now) const noexcept {
  return share_.bps(now) + (share_.may_probe(now) ? share_.path().probe_extra_bps(now) : 0);
}

void LegPacer::start(Instant now) noexcept {
  if (const auto sample = read_tcp_sample(share_.socket())) share_.note_rtt(sample->min_rtt);
  rate_bps_ = resting_bps(now);
  if (!set_pacing_rate(share_.socket(), rate_bps_)) give_up();
}

void LegPacer::drive(Instant now) noexcept {
  const auto sample = read_tcp_sample(share_.socket());
  if (!sample) return give_up();
  const auto rate = on_sample(*sample, now);
  if (rate && !set_pacing_rate(share_.socket(), *rate)) give_up();
}

bool LegPacer::has_unsent() const noexcept {
  int bytes = 0;
  return ::ioctl(share_.socket(), SIOCOUTQNSD, &bytes) == 0 && bytes > 0;
}

void LegPacer::give_up() noexcept {
  rest(Instant{});
  watch_from_ = std::numeric_limits<std::uint64_t>::max();
}

std::optional<std::uint64_t> LegPacer::on_sample(const TcpSample& sample, Instant now) {
  const bool lowered = phase_ != Phase::resting && share_.granted_bps() < rate_bps_;
  if (lowered) rate_bps_ = share_.granted_bps();
  const std::uint64_t before = rate_bps_;
  share_.note_rtt(sample.min_rtt);
  switch (phase_) {
    case Phase::resting:
      begin(sample, now);
      break;
    case Phase::burst:
      if (lowered) {  // in the middle of it: it proves nothing
        share_.drop_probe();
        cruise(sample, now);
      } else {
        end_burst(sample, now);
      }
      break;
    case Phase::flight:
      judge(sample, now);
      break;
    case Phase::cruising:
      review(sample, now);
      break;
  }
  return rate_bps_ == before ? std::nullopt : std::optional{rate_bps_};
}

void LegPacer::begin(const TcpSample& sample, Instant now) {
  share_.join(now);
  const std::uint64_t extra = share_.take_probe(now).value_or(0);
  const Duration rtt = rtt_of(sample);
  const Duration time = burst_time(rtt, extra) * (extra > 0 ? 1 : plain_bursts);
  // The application may have to speed up itself before it can send a burst.
  start_burst(extra, time, now + std::max(rtt, 2 * time), sample, now);
}

void LegPacer::start_burst(std::uint64_t extra_bps, Duration time, Instant until,
                           const TcpSample& sample, Instant now) noexcept {
  phase_ = Phase::burst;
  rate_bps_ = share_.grant(1, extra_bps, now);
  proven_bps_ = rate_bps_ - extra_bps;
  burst_ = mark(sample, now);
  burst_time_ = time;
  burst_until_ = until;
  deadline_ = now + time;
}

void LegPacer::end_burst(const TcpSample& sample, Instant now) noexcept {
  const Duration time = now - burst_.at;
  const std::uint64_t sent_bps = rate_of(since(burst_.sent, sample.sent_bytes), time);
  const double enough = share_.has_probe() ? probe_from : held_back_share;
  if (sent_bps >= scale(proven_bps_, enough)) {
    phase_ = Phase::flight;
    burst_bps_ = sent_bps;
    burst_time_ = time;
    left_bytes_ = sample.notsent_bytes;
    rate_bps_ = share_.grant(1, 0, now);
    answer_due_ = now + rtt_of(sample);
    deadline_ = answer_due_ + std::max(time / burst_parts, shortest_patience);
  } else if (now < burst_until_) {
    burst_ = mark(sample, now);
    deadline_ = now + burst_time_;
  } else {
    share_.drop_probe();
    cruise(sample, now);
  }
}

void LegPacer::judge(const TcpSample& sample, Instant now) noexcept {
  const Answer answer = measure(sample, now);
  bool again = false;
  if (answer.narrower) {
    share_.drop_probe();
    const double delivered = share_of(answer.delivered_bps, proven_bps_);
    share_.lower(delivered * below_delivered, rtt_of(sample), now);
  } else if (share_.has_probe()) {
    again = judge_probe(answer, sample, now);
  } else if (answer.delivered_bps >= scale(proven_bps_, held_back_share)) {
    share_.confirm(now);
  }
  share_.report(std::min(answer.delivered_bps, share_.bps(now)), true);
  if (!again || !try_probe(sample, now)) cruise(sample, now);
}

LegPacer::Answer LegPacer::measure(const TcpSample& sample, Instant now) const noexcept {
  // All that was sent until the burst ended should have arrived by answer_due_, and since then what
  // followed at the proven rate, if there was anything. If less has, the bottleneck was busy all
  // the time.
  const Duration after = std::max(now - answer_due_, Duration{});
  const std::uint64_t burst_bytes = bytes_in(burst_bps_, burst_time_);
  const std::uint64_t followed = std::min(bytes_in(proven_bps_, after), left_bytes_);
  const std::uint64_t arrived = since(burst_.sent - burst_.retransmitted, sample.delivered_bytes);
  Answer answer{.delivered_bps = burst_bps_,
                .lost_bytes = since(burst_.retransmitted, sample.retransmitted_bytes)};
  if (arrived < scale(burst_bytes + followed, all_but_noise)) {
    answer.delivered_bps = std::min(burst_bps_, rate_of(arrived, burst_time_ + after));
  }
  // Much later a queue may have drained again.
  answer.valid = after <= burst_time_;
  answer.lossy = answer.lost_bytes > few_bytes + burst_bytes / 20;
  answer.narrower = answer.valid && answer.delivered_bps < scale(proven_bps_, narrower_share) &&
                    (answer.lossy || queue_stands(sample));
  return answer;
}

// Returns whether the next probe need not wait. That a burst was slow by nobody's fault is no
// verdict: a limit once believed in is approached with small probes only, which prove as little.
bool LegPacer::judge_probe(const Answer& answer, const TcpSample& sample, Instant now) noexcept {
  // What is too much, the bottleneck takes from all legs alike.
  const std::uint64_t total =
      scale(share_.others_bps() + burst_bps_, share_of(answer.delivered_bps, burst_bps_));
  const std::uint64_t extra = since(proven_bps_, burst_bps_);
  const bool fast = total >= share_.others_bps() + proven_bps_ + scale(extra, passed_part);
  const bool held_up = answer.lost_bytes > 0 ||
                       queue_explains(burst_time_, burst_bps_, answer.delivered_bps, sample);
  if (answer.valid && fast && !answer.lossy) {
    share_.pass_probe(total, now);
    return true;
  }
  if (answer.valid && held_up) {
    share_.fail_probe(total, rtt_of(sample), now);
    return false;
  }
  share_.drop_probe();
  return answer.valid && answer.delivered_bps >= scale(proven_bps_, narrower_share);
}

bool LegPacer::try_probe(const TcpSample& sample, Instant now) noexcept {
  if (!share_.may_probe(now)) return false;
  const Duration time = burst_time(rtt_of(sample), share_.path().probe_extra_bps(now));
  if (sample.notsent_bytes < bytes_in(share_.bps(now), time)) return false;
  const auto extra = share_.take_probe(now);
  // The kernel goes faster at the next acknowledgement, so that the first part may be too slow.
  start_burst(*extra, time, now + 2 * time, sample, now);
  return true;
}

void LegPacer::cruise(const TcpSample& sample, Instant now) noexcept {
  phase_ = Phase::cruising;
  was_held_back_ = false;
  review_ = mark(sample, now);
  rate_bps_ = share_.grant(1, 0, now);
  deadline_ = now + std::max(rtt_of(sample), shortest_review);
}

// What arrived in this interval was sent in the one before. But where that was a train or two, it
// may have been acknowledged by then, and silence follows: only what was on its way can be missed.
double LegPacer::delivered_share(const TcpSample& sample, Duration time) const noexcept {
  const std::uint64_t arrived = since(review_.delivered, sample.delivered_bytes);
  const double share = share_of(rate_of(arrived, time), reviewed_bps_);
  if (bytes_in(reviewed_bps_, time) >= few_trains) return share;
  const std::uint64_t in_flight = since(review_.delivered + review_.retransmitted, review_.sent);
  return std::max(share, share_of(arrived, in_flight));
}

void LegPacer::review(const TcpSample& sample, Instant now) noexcept {
  const Duration time = now - review_.at;
  const std::uint64_t sent_bytes = since(review_.sent, sample.sent_bytes);
  if (sample.notsent_bytes == 0 && sent_bytes < unwatched_bytes) return rest(now);

  const std::uint64_t sent = rate_of(sent_bytes, time);
  const bool queued = queue_stands(sample);
  bool lossy = false;
  if (was_held_back_) {
    const double delivered = delivered_share(sample, time);
    const std::uint64_t lost = since(review_.retransmitted, sample.retransmitted_bytes);
    lossy = lost > few_bytes && rate_of(lost, time) > scale(reviewed_bps_, tolerated_loss);
    if (lossy && delivered < all_but_noise) {  // else it repairs what was lost earlier
      share_.lower(delivered * below_delivered, rtt_of(sample), now);
    } else if (queued) {
      share_.lower(delivered, rtt_of(sample), now);
    } else if (delivered >= held_back_share) {
      share_.confirm(now);
    }
  }
  was_held_back_ = sent >= scale(share_.granted_bps(), held_back_share);
  reviewed_bps_ = sent;
  share_.report(sent, was_held_back_);
  review_ = mark(sample, now);
  if (was_held_back_ && !queued && !lossy && try_probe(sample, now)) return;
  rate_bps_ = share_.grant(queued ? draining_share : 1, 0, now);
  deadline_ = now + std::max(rtt_of(sample), shortest_review);
}

// The rate is raised while the last acknowledgements are still to come: the kernel takes it from
// them, and the next answer finds it in force.
void LegPacer::rest(Instant now) noexcept {
  share_.leave();
  phase_ = Phase::resting;
  rate_bps_ = resting_bps(now);
  watch_from_ = written_bytes_ + unwatched_bytes;
  deadline_ = Instant::max();
}

}  // namespace tw::relay
