// The findings of a run of the load generator, as a table for people and JSON for scripts.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/latency_histogram.h"
#include "lab/clients/arrivals.h"
#include "lab/clients/options.h"
#include "lab/probe/thread_cpu.h"

namespace tw::lab {

/// Percentiles of a histogram, in µs.
struct LatencySummary {
  std::uint64_t count = 0;
  double p50_us = 0, p99_us = 0, p999_us = 0, max_us = 0;
  static LatencySummary of(const LatencyHistogram& histogram) noexcept;
};

struct HandshakeReport {
  std::uint32_t established =
      0;                        ///< peers, at the end of the phase (--handshakes-only: of the run)
  std::uint64_t completed = 0;  ///< in `time`
  Duration time = Duration::zero();
  std::uint64_t initiations = 0, retries = 0, cookies = 0, refused = 0, gave_up = 0;
  std::uint64_t unsent = 0;
  LatencySummary response{};  ///< from an initiation to its response
  double per_second() const noexcept;
};

/// In packets, of those that were sent after the warm-up, if nothing else is said.
struct LoadReport {
  Duration time = Duration::zero();
  std::uint64_t sent = 0, received = 0;
  std::uint64_t reordered = 0, repeated = 0, corrupt = 0, foreign = 0;
  std::uint64_t sink_drops = 0;  ///< lost at our own sink's socket
  // Mistakes of the generator itself in the whole run, warm-up included.
  std::uint64_t late = 0, skipped = 0, refused = 0, no_keypair = 0;
  Duration most_late = Duration::zero();
  std::uint64_t handshakes = 0;  ///< completed while it ran: rekeys
  std::vector<std::uint64_t> sent_by_peer{};
  std::vector<PeerArrivals> arrivals_by_peer{};

  std::uint64_t lost() const noexcept { return sent > received ? sent - received : 0; }
  double loss() const noexcept;        ///< share
  double worst_loss() const noexcept;  ///< of the peer that lost most, as a share
  std::uint64_t peers_with_loss() const noexcept;
};

struct BystanderReport {
  std::uint64_t sent = 0, received = 0;
  LatencySummary round_trip{};
  LatencySummary late{};  ///< its delay in sending, which is in its round trips
};

struct FloodReport {
  std::uint64_t sent = 0, refused = 0;
  Duration time = Duration::zero();
};

struct ThreadReport {
  std::string name;
  CpuTime cpu;
  Duration time;  ///< that it ran
};

struct ClientsReport {
  ClientsOptions options{};
  bool interrupted = false;
  HandshakeReport handshakes{};
  std::optional<LoadReport> load{};
  std::optional<BystanderReport> bystander{};
  std::optional<FloodReport> flood{};
  std::vector<ThreadReport> threads{};

  double offered_bps() const noexcept;    ///< of inner packets that were sent
  double delivered_bps() const noexcept;  ///< of those that arrived
  /// Returns true if everything was sent when it was to be sent. Otherwise the generator was
  /// measured, not the target.
  bool kept_schedule() const noexcept;
};

std::string to_table(const ClientsReport& report);
/// The members of the report beside the frame's. With `per_peer` an entry a peer is in it.
nlohmann::ordered_json to_json(const ClientsReport& report, bool per_peer);

}  // namespace tw::lab
