// The event loop of the load: sends what is due, looks after the sessions, and sleeps in between.
#pragma once

#include <atomic>
#include <thread>

#include "lab/clients/load_sender.h"
#include "lab/clients/options.h"
#include "lab/clients/send_schedule.h"
#include "lab/clients/session_array.h"
#include "lab/probe/thread_cpu.h"

namespace tw::lab {

class LoadLoop {
 public:
  /// All of them must outlive this; the sessions and the sender are its own while it runs.
  LoadLoop(const ClientsOptions& options, const Clock& clock, SessionArray& sessions,
           LoadSender& sender) noexcept
      : options_(options), clock_(clock), sessions_(sessions), sender_(sender) {}
  ~LoadLoop() { stop(); }

  /// Sends from `begin` on; what is due from `measure` on counts; ends by itself at `end`.
  void start(Instant begin, Instant measure, Instant end);
  bool is_done() const noexcept { return done_.load(std::memory_order_acquire); }
  void stop() noexcept;

  // Valid after stop().
  Duration measured_time() const noexcept { return measured_time_; }
  Duration time() const noexcept { return time_; }
  Duration most_late() const noexcept { return most_late_; }
  std::uint64_t skipped_packets() const noexcept { return skipped_packets_; }
  CpuTime cpu() const noexcept { return cpu_; }

 private:
  void run(Instant begin, Instant measure, Instant end) noexcept;
  /// One step; true if something was sent.
  bool step(SendSchedule& schedule, Instant measure, Instant now) noexcept;

  const ClientsOptions& options_;
  const Clock& clock_;
  SessionArray& sessions_;
  LoadSender& sender_;
  Instant looked_at_;  // when the sessions had their turn
  Duration measured_time_ = Duration::zero(), time_ = Duration::zero();
  Duration most_late_ = Duration::zero();
  std::uint64_t skipped_packets_ = 0;
  CpuTime cpu_;
  std::atomic<bool> stopping_{false}, done_{false};
  std::thread thread_;
};

}  // namespace tw::lab
