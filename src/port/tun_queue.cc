#include "port/tun_queue.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "bpf/abi.h"

namespace tw {
namespace {

/// The rate is a mean of about this long.
constexpr double smoothing_ns = 5e6;
/// Longer ones say that the worker was away, not how fast it is.
constexpr Duration longest_interval = 10ms;

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

TunQueue::TunQueue(tw_tun_queue& shared, Duration limit) noexcept
    : shared_(shared),
      limit_(limit),
      bytes_per_ns_(static_cast<double>(start_bytes) / static_cast<double>(limit.count())),
      settled_buckets_(tw_tun_buckets) {
  TW_ASSERT(limit > Duration::zero());
  set_limit();
}

void TunQueue::took(ByteView packet) noexcept {
  settling_ = false;
  taken_ += packet.size();
  __u64& bucket = shared_.bucket_dequeued[bucket_of(packet)];
  store(bucket, load(bucket) + packet.size());
  store(shared_.dequeued, load(shared_.dequeued) + packet.size());
}

// What was let in before the read that found nothing has been read, or was dropped behind the
// program's back (the ring was full, the device down), or is on its way between the two on another
// CPU. The last makes the difference negative until the next time, by a packet for each CPU.
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

std::size_t TunQueue::poll(Instant now, std::size_t) noexcept {
  const Duration interval = now - std::exchange(polled_at_, now);
  const auto taken = static_cast<double>(std::exchange(taken_, 0));
  const bool ran_dry = std::exchange(ran_dry_, false);
  if (taken == 0 || interval <= Duration::zero() || interval > longest_interval) return 0;
  const auto elapsed = static_cast<double>(interval.count());
  const double rate = taken / elapsed;
  // What emptied the queue says only how fast it goes at least.
  if (ran_dry && rate <= bytes_per_ns_) return 0;
  bytes_per_ns_ += (rate - bytes_per_ns_) * elapsed / (elapsed + smoothing_ns);
  set_limit();
  return 0;
}

void TunQueue::set_limit() noexcept {
  const double bytes =
      std::clamp(bytes_per_ns_ * static_cast<double>(limit_.count()),
                 static_cast<double>(fewest_bytes), static_cast<double>(most_bytes));
  // Twice: one destination alone gets half of it.
  store(shared_.limit_bytes, 2 * static_cast<std::uint64_t>(bytes));
}

}  // namespace tw
