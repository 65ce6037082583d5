// Where the load ends: a socket behind the tunnel and a thread that does nothing but count.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "base/result.h"
#include "lab/clients/arrivals.h"
#include "lab/clients/options.h"
#include "lab/clients/pattern.h"
#include "lab/probe/thread_cpu.h"
#include "port/udp/udp_port.h"

namespace tw::lab {

class Sink {
 public:
  /// Binds the socket and begins to count. `pattern` must outlive this.
  static Result<std::unique_ptr<Sink>> start(const ClientsOptions& options, const Pattern& pattern);
  ~Sink();  ///< stop()

  /// Any thread, also while it runs: totals. By peer only after stop().
  const Arrivals& arrivals() const noexcept { return arrivals_; }
  /// Datagrams that did not fit the socket's buffer: lost by us, not by the target.
  std::uint64_t kernel_drops() const noexcept { return port_.kernel_drops(); }
  /// Ends the thread; what has arrived until then is counted.
  void stop() noexcept;
  /// Valid after stop().
  CpuTime cpu() const noexcept { return cpu_; }

 private:
  Sink(UniqueFd fd, const Pattern& pattern, std::uint32_t peers);
  void run() noexcept;
  bool drain(PacketBatch& batch) noexcept;

  UdpPort port_;
  const Pattern& pattern_;
  Arrivals arrivals_;
  CpuTime cpu_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tw::lab
