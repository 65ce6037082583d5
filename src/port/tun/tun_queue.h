// The process's half of a TUN queue bounded in time. It says how many bytes have left the queue and
// how many may wait there; a program in the kernel (bpf/tun_queue.bpf.c) turns away what would
// exceed that, fairly between destinations. A local TCP keeps what is turned away, and slows down.
//
// The limit is twice the target as long as the queue empties now and then, and enough for a first
// flight, so that no burst is cut. If the queue stands, CoDel's law (port/delay_law.h) lowers the
// limit until the wait is on target. A wait is counted in the worker's own time, bytes by what it
// takes out while it runs: what piles up while it is sent away is no standing queue. How far the
// limit rises in the meantime the program finds out by itself, from when the worker's last turn
// began.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "exec/poller.h"
#include "port/delay_law.h"

struct tw_tun_queue;  // bpf/abi.h

namespace tw {

/// CPU time of the calling thread. A system call.
Duration thread_time() noexcept;

/// On the context that polls the TUN, before whoever does.
class TunQueue final : public Poller {
 public:
  /// A queue may stand so long. A local TCP hears of a lower limit at once, whatever its way.
  static constexpr Duration interval = 20ms;
  /// The bytes that one destination may always queue, unless the queue stands: the first flight
  /// of a connection with a large initial window fits.
  static constexpr std::uint64_t burst_bytes = std::uint64_t{1} << 20U;
  /// The limit never falls below two full packets for one destination, so that the queue is not
  /// empty while one is handled.
  static constexpr std::uint64_t fewest_bytes = std::uint64_t{2} << 16U;
  /// Turns that begin with less in the queue are not measured.
  static constexpr std::uint64_t measured_bytes = std::uint64_t{1} << 14U;

  /// `shared` is what the program works on and must outlive this. `target`: how long a packet may
  /// wait while the worker runs, if all do; above zero. `worked`: how long the calling thread has
  /// run.
  TunQueue(tw_tun_queue& shared, Duration target, Duration (*worked)() noexcept = thread_time);

  /// A packet, from its IP header on, was read from the device. Costs two stores.
  void took(ByteView packet) noexcept;
  /// A read found nothing. True: read once more, and tell again if that finds nothing either. This
  /// is how packets are found out that the program has let in and the device dropped all the same.
  bool found_empty() noexcept;

  /// Measures the turn before, and sets the limit. Never has work.
  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return Instant::max(); }

  /// Returns the time that the queue of one destination alone may take to leave.
  Duration limit() const noexcept { return limit_; }

 private:
  void measure(Duration worked) noexcept;
  void adjust(Duration sojourn, Duration passed) noexcept;
  void set_limit() noexcept;
  Duration longest() const noexcept;

  tw_tun_queue& shared_;
  Duration (*worked_)() noexcept;
  DelayLaw law_;
  double bytes_per_ns_;  // that this context takes out while it runs
  Duration limit_;
  Instant polled_at_;
  Duration worked_at_poll_{};
  Instant own_time_;         // of the turns that were measured, added up
  std::uint64_t taken_ = 0;  // bytes since polled_at_
  bool measuring_ = false;   // the turn under way
  bool ran_dry_ = true;      // since polled_at_
  Duration shortest_{};      // wait since the limit was lowered
  bool settling_ = false;    // the next found_empty() applies what follows
  std::uint64_t settled_ = 0;
  std::vector<std::uint64_t> settled_buckets_;
};

}  // namespace tw
