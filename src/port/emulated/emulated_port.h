// One direction of an emulated link, for kernels without netem. The port wraps another and holds
// back what it receives from it: each segment takes its time on a line of a given rate, may find
// the queue in front of it full, may get lost, and arrives a delay later.
//
// Trains stay whole, or the machine could not emulate a fast link; but rate, queue and loss see
// their segments. What gets lost is cut out, and the survivors arrive when their last segment has.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/counter.h"
#include "base/random.h"
#include "port/emulated/byte_fifo.h"
#include "port/port.h"

namespace tw {

class TrainSegments;

struct LinkSettings {
  Duration delay = Duration::zero();  ///< one way: half of the RTT if both directions have it
  std::uint64_t rate_bps = 0;         ///< of IP packets, headers included; 0: unlimited
  /// The most that set_rate() is going to ask for, if it is more: memory is taken for it.
  std::uint64_t most_rate_bps = 0;
  /// Bytes of IP packets that may wait for the line; more are dropped. 32 ms at 1 Gbps.
  std::size_t queue_bytes = 4'000'000;
  /// A policer instead of a line: a token bucket of queue_bytes, which rate_bps fills. Nothing
  /// waits: what finds tokens passes at once, the rest is dropped.
  bool polices = false;
  double loss = 0;  ///< chance of each segment to get lost on the line, 0 to 1
  /// Above zero: packets arrive in lumps, as a shared medium or a saving receiver makes them. After
  /// each lump the next one comes after a time between the two.
  Duration least_hold = Duration::zero(), most_hold = Duration::zero();
  std::uint64_t seed = 1;  ///< of the losses and the lumps
};

/// In segments: in = out + lost + queue_dropped + too_large + queued, always.
struct LinkCounters {
  Counter in;             ///< received from the wrapped port
  Counter out;            ///< handed on by poll()
  Counter lost;           ///< by chance
  Counter queue_dropped;  ///< the queue, or the memory for it, was full
  Counter too_large;      ///< did not fit the buffers of poll()'s batch
};

/// Sends pass through at once: to delay both directions, wrap both ends.
class EmulatedPort final : public Port {
 public:
  /// The memory that holds what is under way: twice the product of rate and delay plus the queue
  /// (an unlimited rate counts as 10 Gbps), but never more than this.
  static constexpr std::size_t max_memory_bytes = std::size_t{512} << 20U;

  /// `inner` and `clock` must outlive the port. The clock must be that of the context that polls.
  EmulatedPort(Port& inner, const LinkSettings& settings, const Clock& clock);

  /// Takes in at most 16 trains and hands on what is due.
  std::size_t poll(PacketBatch& batch) noexcept override;
  SendResult send(std::span<const Train> trains) noexcept override { return inner_.send(trains); }
  PortCapabilities capabilities() const noexcept override { return inner_.capabilities(); }
  int wait_fd() const noexcept override { return inner_.wait_fd(); }
  bool arm() noexcept override { return inner_.arm(); }
  Instant next_release() const noexcept override;
  std::uint64_t kernel_drops() const noexcept override { return inner_.kernel_drops(); }

  /// From the next segment on; what is under way arrives as it would have. Not to or from 0. Any
  /// thread may call it.
  void set_rate(std::uint64_t rate_bps) noexcept {
    rate_bps_.store(rate_bps, std::memory_order_relaxed);
  }

  const LinkCounters& counters() const noexcept { return counters_; }
  /// Segments under way: taken in, and neither handed on nor dropped yet.
  std::uint64_t queued() const noexcept;

 private:
  struct Record;

  void intake(Instant now) noexcept;
  void admit(const Train& train, Instant now) noexcept;
  bool transmit(std::size_t bytes, Instant now) noexcept;
  void hold(const TrainSegments& segments, std::size_t first, std::size_t count,
            Instant now) noexcept;
  Instant arrival(Instant now) noexcept;
  std::size_t release(Instant now, PacketBatch& batch) noexcept;

  Port& inner_;
  const LinkSettings settings_;
  const Clock& clock_;
  SeededRandom random_;
  std::atomic<std::uint64_t> rate_bps_;
  Instant line_free_{};          // when the line has sent what it was given
  std::uint64_t remainder_ = 0;  // of a nanosecond, in 1/rate_bps
  Instant lump_{};               // when the last one arrives
  PacketBatch arrivals_;
  ByteFifo fifo_;
  LinkCounters counters_;
};

}  // namespace tw
