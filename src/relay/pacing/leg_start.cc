#include "relay/pacing/leg_start.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <limits>

namespace tw::relay {
namespace {

constexpr std::uint32_t stock_window = 10;  // RFC 6928
constexpr Duration shortest_interval = 100ms;
constexpr Duration unmeasured_rtt = 100ms;
constexpr int rtts_between_looks = 2;
constexpr double tolerated_loss = 0.02;             // retransmitted: radio links lose as much
constexpr std::uint64_t few_bytes = 6000;           // retransmitted by chance
constexpr std::uint64_t short_stretch = 1U << 20U;  // until a short path is asked for its length

std::uint64_t rate_of(std::uint64_t bytes, Duration time) noexcept {
  if (time <= Duration::zero()) return 0;
  const double seconds = std::chrono::duration<double>(time).count();
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * 8 / seconds);
}
std::uint64_t bytes_in(std::uint64_t bps, Duration time) noexcept {
  const double seconds = std::chrono::duration<double>(time).count();
  return static_cast<std::uint64_t>(static_cast<double>(bps) * seconds / 8);
}
// Selective acknowledgements come and go: a sum may step back by a segment.
std::uint64_t since(std::uint64_t earlier, std::uint64_t later) noexcept {
  return later > earlier ? later - earlier : 0;
}

// Sends the bytes that have waited in the send buffer for the window to open.
void push(int socket) noexcept {
  const int on = 1;
  static_cast<void>(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

}  // namespace

Duration LegRule::interval(const TcpSample& sample) noexcept {
  const Duration rtt = sample.rtt > Duration::zero() ? sample.rtt : unmeasured_rtt;
  return std::max(rtts_between_looks * rtt, shortest_interval);
}

std::optional<Resumer::Start> LegRule::begin(const TcpSample& sample, Instant now) noexcept {
  PathRate& path = share_.path();
  path.note_rtt(sample.min_rtt, now);
  const Duration rtt = path.rtt(now);
  if (rtt < PathRate::shortest_rtt || sample.segment_bytes == 0) return std::nullopt;
  const std::uint64_t bps = share_.bps(now);
  share_.join(now);
  const std::uint64_t segments =
      std::clamp<std::uint64_t>(bytes_in(bps, rtt) / sample.segment_bytes, stock_window, most_);
  granted_bytes_ = segments * sample.segment_bytes;
  judged_ = false;
  near_limit_ = path.is_limited(now);
  begun_delivered_ = delivered_ = sample.delivered_bytes;
  sent_ = sample.sent_bytes;
  retransmitted_ = sample.retransmitted_bytes;
  reader_held_ = sample.reader_held;
  looked_ = now;
  const auto window = static_cast<std::uint32_t>(segments);
  if (window <= std::max(sample.window, stock_window)) return std::nullopt;
  return Resumer::Start{.rate_bps = bps,
                        .window = window,
                        .probe = near_limit_ ? Resumer::Probe::little : Resumer::Probe::much};
}

bool LegRule::review(const TcpSample& sample, const std::optional<Resumer::Found>& found,
                     Instant now) noexcept {
  share_.path().note_rtt(sample.min_rtt, now);
  const std::uint64_t sent = since(sent_, sample.sent_bytes);
  const std::uint64_t again = since(retransmitted_, sample.retransmitted_bytes);
  const bool lossy =
      again > few_bytes && static_cast<double>(again) > tolerated_loss * static_cast<double>(sent);
  share_.report(rate_of(since(delivered_, sample.delivered_bytes), now - looked_));
  learn(sample, found, lossy, now);
  const std::uint64_t delivered = since(begun_delivered_, sample.delivered_bytes);
  if (lossy) judge(PathShare::Verdict::failed);
  if (delivered >= granted_bytes_) judge(PathShare::Verdict::passed);
  sent_ = sample.sent_bytes;
  delivered_ = sample.delivered_bytes;
  retransmitted_ = sample.retransmitted_bytes;
  reader_held_ = sample.reader_held;
  looked_ = now;
  if (sent > 0 || sample.notsent_bytes > 0) return true;
  end();
  return false;
}

// The window is TCP's own judgement of the path, and grows only while it is used. Half of it may
// not have been tried yet in slow start; a part of it may stand in a queue afterwards. A start that
// is under way knows better.
void LegRule::learn(const TcpSample& sample, const std::optional<Resumer::Found>& found, bool lossy,
                    Instant now) noexcept {
  const Duration rtt = share_.path().rtt(now);
  const std::uint64_t window_bps =
      rate_of(std::uint64_t{sample.window} * sample.segment_bytes, rtt);
  const bool starting = found && !found->over;
  if (lossy) {
    return share_.learn(PathShare::Finding::lossy, starting ? found->rate_bps : window_bps, now);
  }
  if (found && found->is_full && !std::exchange(near_limit_, true)) {
    return share_.learn(PathShare::Finding::full, found->rate_bps, now);
  }
  const std::uint64_t reached_bps =
      std::min(window_bps, sample.delivery_bps * (sample.slow_start ? 2U : 1U));
  // With less the window is what it was given, and not what it has proven.
  if (since(begun_delivered_, sample.delivered_bytes) < granted_bytes_ / 2) return;
  share_.learn(PathShare::Finding::carries, starting ? found->rate_bps : reached_bps, now);
  const bool held_by_path = sample.notsent_bytes > 0 && sample.reader_held == reader_held_;
  if (held_by_path) share_.learn(PathShare::Finding::narrow, window_bps, now);
}

void LegRule::judge(PathShare::Verdict verdict) noexcept {
  if (!std::exchange(judged_, true)) share_.count(verdict);
}

void LegRule::end() noexcept {
  if (!has_begun()) return;
  judge(PathShare::Verdict::undecided);
  share_.leave();
}

void LegStart::give_up() noexcept {
  rule_.end();
  phase_ = Phase::resting;
  begin_at_ = std::numeric_limits<std::uint64_t>::max();
  deadline_ = Instant::max();
}

// The route's window is large: its first byte may be followed by all of it.
void LegStart::prepare(Instant now) noexcept {
  if (resumer_ != nullptr || rule_.path().is_short(now)) return;
  capped_ = set_pacing_rate(socket_, rule_.bps(now)).has_value();
  begin_at_ = written_ + 1;
}

void LegStart::begin(Instant now) noexcept {
  begin_at_ = written_ + short_stretch;
  if (rule_.path().is_short(now) && !capped_) return;
  const auto sample = read_tcp_sample(socket_);
  if (!sample) return give_up();
  const auto start = rule_.begin(*sample, now);
  if (capped_) {
    phase_ = Phase::paced;
    deadline_ = now + sample->rtt;
    return;
  }
  if (!rule_.has_begun()) return;
  phase_ = Phase::watching;
  deadline_ = now + LegRule::interval(*sample);
  resumed_ = start && resumer_ != nullptr && resumer_->resume(socket_, *start);
  if (resumed_) push(socket_);
}

std::optional<Resumer::Found> LegStart::found() const noexcept {
  return resumer_ != nullptr && resumed_ ? resumer_->found(socket_) : std::nullopt;
}

void LegStart::drive(Instant now) noexcept {
  const auto sample = read_tcp_sample(socket_);
  if (!sample) return give_up();
  if (std::exchange(capped_, false) && !set_pacing_rate(socket_, unpaced_bps)) return give_up();
  if (rule_.has_begun() && rule_.review(*sample, found(), now)) {
    phase_ = Phase::watching;
    deadline_ = now + LegRule::interval(*sample);
  } else {
    rest(now);
  }
}

void LegStart::rest(Instant now) noexcept {
  phase_ = Phase::resting;
  deadline_ = Instant::max();
  begin_at_ = written_ + unwatched_bytes;
  prepare(now);
}

void LegStart::finish(Instant now) noexcept {
  if (capped_) static_cast<void>(set_pacing_rate(socket_, unpaced_bps));
  if (!rule_.has_begun()) return;
  if (const auto sample = read_tcp_sample(socket_)) rule_.review(*sample, found(), now);
  rule_.end();
}

}  // namespace tw::relay
