#include "port/tun/tun_queue.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/assert.h"
#include "bpf/abi.h"

namespace tw {
namespace {

/// The rate is a mean of about this long.
constexpr double smoothing_ns = 5e6;
/// 8 Gbps, until it is measured.
constexpr double assumed_bytes_per_ns = 1;
/// A signal of the law lowers the limit by one part in this many: CUBIC gives up 30 % of its
/// window, so it stays below the new one for a while.
constexpr int lowered_by = 4;

__u64 load(__u64& counter) noexcept {
  return std::atomic_ref{counter}.load(std::memory_order_relaxed);
}
void store(__u64& counter, __u64 value) noexcept {
  std::atomic_ref{counter}.store(value, std::memory_order_relaxed);
}

/// As the program finds it.
std::uint32_t bucket_of(ByteView packet) noexcept {
  std::uint64_t address = 0;
  if (packet.empty()) return 0;
  const unsigned version = packet[0] >> 4U;
  if (version == 4) {
    if (packet.size() < 20) return 0;
    std::memcpy(&address, packet.data() + 16, 4);
  } else if (version == 6) {
    if (packet.size() < 32) return 0;
    std::memcpy(&address, packet.data() + 24, 8);
  }
  return tw_tun_bucket(address) % tw_tun_buckets;
}

}  // namespace

Duration thread_time() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

TunQueue::TunQueue(tw_tun_queue& shared, Duration target, Duration (*worked)() noexcept)
    : shared_(shared),
      worked_(worked),
      law_(target, interval),
      bytes_per_ns_(assumed_bytes_per_ns),
      limit_(longest()),
      settled_buckets_(tw_tun_buckets) {
  TW_ASSERT(target > Duration::zero());
  set_limit();
}

void TunQueue::took(ByteView packet) noexcept {
  settling_ = false;
  taken_ += packet.size();
  __u64& bucket = shared_.bucket_dequeued[bucket_of(packet)];
  store(bucket, load(bucket) + packet.size());
  store(shared_.dequeued, load(shared_.dequeued) + packet.size());
}

// Bytes let in before the read that found nothing have been read, or were dropped behind the
// program's back (the ring was full, the device down), or are on their way between the two on
// another CPU. The last makes the difference negative until the next time, by a packet a CPU.
bool TunQueue::found_empty() noexcept {
  ran_dry_ = true;
  if (std::exchange(settling_, false)) {
    for (std::size_t i = 0; i < tw_tun_buckets; ++i) {
      store(shared_.bucket_dequeued[i], settled_buckets_[i]);
    }
    store(shared_.dequeued, settled_);
    return false;
  }
  if (load(shared_.enqueued) == load(shared_.dequeued)) return false;
  for (std::size_t i = 0; i < tw_tun_buckets; ++i) {
    settled_buckets_[i] = load(shared_.bucket_enqueued[i]);
  }
  // After the buckets: see the program.
  std::atomic_thread_fence(std::memory_order_acquire);
  settled_ = load(shared_.enqueued);
  settling_ = true;
  return true;
}

Work TunQueue::poll(Instant now, std::size_t) noexcept {
  store(shared_.served_at_ns, static_cast<__u64>(now.since_origin().count()));
  const Duration passed = std::max(now - std::exchange(polled_at_, now), Duration::zero());
  const std::uint64_t queued = tw_tun_queued(load(shared_.enqueued), load(shared_.dequeued));
  const bool stood = std::exchange(measuring_, queued >= measured_bytes);
  if (stood || measuring_) {
    const Duration worked_at = worked_();
    const Duration worked = worked_at - std::exchange(worked_at_poll_, worked_at);
    if (stood && worked > Duration::zero()) measure(worked);
  }
  const bool emptied = std::exchange(ran_dry_, false) || !measuring_;
  taken_ = 0;
  const double wait = emptied ? 0 : static_cast<double>(queued) / bytes_per_ns_;
  adjust(Duration{static_cast<Duration::rep>(wait)}, passed);
  set_limit();
  return {};
}

// A turn that began with something in the queue.
void TunQueue::measure(Duration worked) noexcept {
  own_time_ = own_time_ + worked;
  const auto elapsed = static_cast<double>(worked.count());
  const double rate = static_cast<double>(taken_) / elapsed;
  // Whenever the queue was emptied, the rate is only a lower bound.
  if (rate <= 0 || (ran_dry_ && rate <= bytes_per_ns_)) return;
  bytes_per_ns_ += (rate - bytes_per_ns_) * elapsed / (elapsed + smoothing_ns);
}

// `sojourn`: of what comes next out of the queue.
void TunQueue::adjust(Duration sojourn, Duration passed) noexcept {
  shortest_ = law_.above() ? std::min(shortest_, sojourn) : sojourn;
  if (law_.signal(own_time_, sojourn)) {
    // To less than what has been there all the time: of more nobody would hear.
    const Duration standing = std::min(limit_, std::exchange(shortest_, Duration::max()));
    limit_ = std::max(standing - standing / lowered_by, law_.target() / 2);
  } else if (!law_.above()) {
    const double growth = 1 + static_cast<double>(passed.count()) / interval.count();
    const double grown = static_cast<double>(limit_.count()) * growth;
    limit_ = grown < static_cast<double>(longest().count())
                 ? Duration{static_cast<Duration::rep>(grown)}
                 : longest();
  }
}

Duration TunQueue::longest() const noexcept {
  const double first_flight = static_cast<double>(burst_bytes) / bytes_per_ns_;
  return std::max(2 * law_.target(), Duration{static_cast<Duration::rep>(first_flight)});
}

void TunQueue::set_limit() noexcept {
  const double bytes =
      std::clamp(bytes_per_ns_ * static_cast<double>(limit_.count()),
                 static_cast<double>(fewest_bytes), static_cast<double>(tw_tun_most_bytes / 2));
  // Twice: one destination alone gets half of it.
  store(shared_.limit_bytes, 2 * static_cast<std::uint64_t>(bytes));
  store(shared_.bytes_per_us, static_cast<std::uint64_t>(bytes_per_ns_ * 1024));
}

}  // namespace tw
