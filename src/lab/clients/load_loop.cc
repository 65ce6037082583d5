#include "lab/clients/load_loop.h"

#include <algorithm>

namespace tw::lab {
namespace {

/// Packets that become due while it sleeps leave together: a wake-up for each would cost more than
/// the packet.
constexpr Duration nap = 100us;
constexpr Duration longest_nap = 20ms;
/// The time between looks at the sessions' sockets and timers while something is always due.
constexpr Duration session_interval = 200us;
constexpr Duration backlog = 10ms;
/// Rekeys at a time, and begun in one step: some 0.1 ms each, in which nothing is sent.
constexpr std::uint32_t rekeys_outstanding = 64, rekeys_per_step = 2;

}  // namespace

void LoadLoop::start(Instant begin, Instant measure, Instant end) {
  thread_ = std::thread{[this, begin, measure, end] { run(begin, measure, end); }};
}

void LoadLoop::stop() noexcept {
  stopping_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void LoadLoop::run(Instant begin, Instant measure, Instant end) noexcept {
  sharpen_timers();
  const double unit_bits = 8.0 * options_.size * options_.burst;
  const double interval_ns = options_.rate_bps > 0 ? unit_bits * 1e9 / options_.rate_bps : 0;
  SendSchedule schedule{begin, interval_ns, backlog};
  Instant now = clock_.now();
  while (now < end && !stopping_.load(std::memory_order_relaxed) && !sender_.is_exhausted()) {
    if (!step(schedule, measure, now)) {
      const Instant wake = std::min(std::max(schedule.next(), now + nap), end);
      sessions_.wait(std::clamp(wake - clock_.now(), Duration::zero(), longest_nap));
      looked_at_ = Instant{};
    }
    now = clock_.now();
  }
  sender_.abandon();
  time_ = now - begin;
  measured_time_ = std::max(now - measure, Duration::zero());
  skipped_packets_ = schedule.skipped() * options_.burst;
  cpu_ = thread_cpu();
  done_.store(true, std::memory_order_release);
}

bool LoadLoop::step(SendSchedule& schedule, Instant measure, Instant now) noexcept {
  if (now - looked_at_ >= session_interval) {
    sessions_.turn(now);
    sessions_.begin_handshakes(rekeys_outstanding, rekeys_per_step);
    looked_at_ = now;
  }
  if (!sender_.resume()) return false;
  const SendSchedule::Due due = schedule.take(now, sender_.units_per_turn());
  if (due.count == 0) return false;
  const Instant at = options_.rate_bps > 0 ? schedule.due(due.first) : now;
  most_late_ = std::max(most_late_, due.late);
  sender_.send(static_cast<std::uint32_t>(due.count), at, at >= measure, now);
  return true;
}

}  // namespace tw::lab
