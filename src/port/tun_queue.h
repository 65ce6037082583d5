// The process's half of a TUN queue bounded in time: it says how many bytes have left the queue and
// how many may wait there, and a program in the kernel (bpf/tun_queue.bpf.c) turns away what would
// exceed that, fairly between destinations. How many bytes are `limit` of time is measured: it is
// how fast this worker empties the queue while there is something in it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "exec/poller.h"

struct tw_tun_queue;  // bpf/abi.h

namespace tw {

/// On the context that polls the TUN, before whoever does.
class TunQueue final : public Poller {
 public:
  /// What one destination alone may queue before anything is measured: the first flight of a
  /// connection with a large initial window fits.
  static constexpr std::uint64_t start_bytes = std::uint64_t{1} << 20U;
  /// Bounds of the same: two full packets, so that the queue is never empty while one is handled;
  /// and what a burst may cost in memory.
  static constexpr std::uint64_t fewest_bytes = std::uint64_t{2} << 16U;
  static constexpr std::uint64_t most_bytes = std::uint64_t{8} << 20U;

  /// `shared` is what the program works on and must outlive this. `limit`: how long a packet may
  /// wait; above zero.
  TunQueue(tw_tun_queue& shared, Duration limit) noexcept;

  /// A packet, from its IP header on, was read from the device. Costs two stores.
  void took(ByteView packet) noexcept;
  /// A read found nothing. True: read once more, and tell again if that finds nothing either. This
  /// is how packets are found out that the program has let in and the device dropped all the same.
  bool found_empty() noexcept;

  /// Measures, and sets the limit. Never has work.
  std::size_t poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return Instant::max(); }

 private:
  void set_limit() noexcept;

  tw_tun_queue& shared_;
  Duration limit_;
  double bytes_per_ns_;  // that this context takes out
  Instant polled_at_;
  std::uint64_t taken_ = 0;  // bytes since polled_at_
  bool ran_dry_ = true;      // since polled_at_
  bool settling_ = false;    // the next found_empty() applies what follows
  std::uint64_t settled_ = 0;
  std::vector<std::uint64_t> settled_buckets_;
};

}  // namespace tw
