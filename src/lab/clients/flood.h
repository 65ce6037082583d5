// An attacker: datagrams that cost the target something and that it must not let its peers pay for.
// A thread of its own at a fixed rate; whether it kept it is counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "lab/clients/options.h"
#include "lab/probe/thread_cpu.h"

namespace tw::lab {

/// Writes what an attacker sends: `number` chooses among many. Returns its size; `out` has room for
/// flood_datagram_size bytes.
inline constexpr std::size_t flood_datagram_size = 148;
class FloodWriter {
 public:
  /// `kind` is not none. Cost for `spoofed`: 4,096 keyed hashes.
  FloodWriter(FloodKind kind, const crypto::PublicKey& target_key, std::uint64_t seed);
  ByteView datagram(std::uint64_t number) noexcept;

 private:
  static constexpr std::size_t variants = 4096;
  std::vector<std::uint8_t> datagrams_;
  std::size_t size_;
};

/// The IPv4 and UDP headers of a datagram from `source`, without checksums where they may be
/// missing (RFC 768). The kernel fills in the IP checksum of a raw packet.
void write_spoofed_headers(ByteSpan out, const Endpoint& source, const Endpoint& target,
                           std::size_t payload) noexcept;
inline constexpr std::size_t spoofed_header_size = 28;

class Flood {
 public:
  /// Opens its socket: `spoofed` needs CAP_NET_RAW.
  static Result<std::unique_ptr<Flood>> open(const ClientsOptions& options, const Clock& clock);
  ~Flood();  ///< stop()

  void start();
  void stop() noexcept;
  /// Any thread.
  std::uint64_t sent() const noexcept { return sent_.value(); }
  std::uint64_t refused() const noexcept { return refused_.value(); }
  // Valid after stop().
  Duration time() const noexcept { return time_; }
  CpuTime cpu() const noexcept { return cpu_; }

 private:
  Flood(const ClientsOptions& options, const Clock& clock);
  Result<void> open_socket();
  void run() noexcept;
  void send(std::uint64_t first, std::size_t count) noexcept;

  const Clock& clock_;
  ClientsOptions options_;
  FloodWriter writer_;
  UniqueFd socket_;
  Counter sent_, refused_;
  Duration time_ = Duration::zero();
  CpuTime cpu_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tw::lab
