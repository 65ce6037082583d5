// One more peer, which sends a small packet at fixed times and has it echoed behind the tunnel:
// what the load does to somebody who has nothing to do with it.
//
// Open loop: a latency counts from when its packet was to be sent, so that a stall costs every
// packet that fell into it and not just one. The echo has a socket of its own, where no load waits,
// and the thread is woken before all others: what is measured is the tunnel.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "base/latency_histogram.h"
#include "base/result.h"
#include "lab/clients/arrivals.h"
#include "lab/clients/load_sender.h"
#include "lab/clients/options.h"
#include "lab/clients/pattern.h"
#include "lab/clients/session_array.h"
#include "lab/probe/thread_cpu.h"

namespace tw::lab {

class Bystander {
 public:
  static constexpr std::uint32_t packet_size = 100;  ///< of the inner packet, with its headers

  /// Opens its sockets: the echo's is behind the tunnel, at the port after the sink's. The clock
  /// must outlive this.
  static Result<std::unique_ptr<Bystander>> open(const ClientsOptions& options, std::uint64_t run,
                                                 const Clock& clock);
  ~Bystander();  ///< stop()

  /// Its session, to be established before start() and left alone from then on.
  SessionArray& session() noexcept { return *session_; }
  /// Sends from `begin` on and counts what is due from `measure` on, until stop().
  void start(Instant begin, Instant measure);
  /// Nothing further is sent from here on; what is on its way still counts.
  void finish() noexcept { finishing_.store(true, std::memory_order_relaxed); }
  void stop() noexcept;

  // Valid after stop().
  std::uint64_t sent() const noexcept { return sent_; }
  std::uint64_t received() const noexcept { return round_trips_.count(); }
  const LatencyHistogram& round_trips() const noexcept { return round_trips_; }
  /// Returns how long after its time each packet left: our own share of the latency.
  const LatencyHistogram& lateness() const noexcept { return lateness_; }
  CpuTime cpu() const noexcept { return cpu_; }

 private:
  Bystander(const ClientsOptions& options, std::uint64_t run, const Clock& clock);
  void run() noexcept;
  void echo() noexcept;
  void send_due(Instant now) noexcept;
  void send_one(Instant due, Instant now) noexcept;
  void take_reply(ByteView packet) noexcept;

  const Clock& clock_;
  Duration interval_;
  Endpoint source_;
  Pattern pattern_;
  PacketWriter writer_;
  std::unique_ptr<crypto::AeadEngine> engine_;
  std::unique_ptr<SessionArray> session_;
  UniqueFd echo_;
  wg::ReplayWindow replies_;

  Instant begin_, measure_;
  std::uint64_t next_ = 0;
  std::uint64_t sent_ = 0;
  LatencyHistogram round_trips_, lateness_;
  CpuTime cpu_;
  std::atomic<bool> finishing_{false}, stopping_{false};
  std::thread thread_;
};

}  // namespace tw::lab
