// The paper's experiment: one file after the other, from a server behind a long way, over every
// configuration in turns. Builds the hosts and links, starts what each configuration needs beside
// the others, measures, and takes everything down again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/bed/interrupt.h"
#include "lab/bed/topology.h"
#include "lab/report/progress.h"
#include "lab/wan/configuration.h"
#include "lab/wan/wan_report.h"

namespace tw::lab {

struct WanOptions {
  std::vector<std::uint64_t> sizes{10'000, 100'000, 1'000'000, 10'000'000};  ///< bytes
  /// None: all whose programs are installed.
  std::vector<Configuration> configurations{};
  std::uint32_t runs = 50;    ///< counted downloads of each size in each configuration
  std::uint32_t warmups = 1;  ///< rounds before, which are not counted
  std::array<double, 3> rtt_ms{32.7, 215, 26};  ///< client – R_C, R_C – R_S, R_S – server
  std::array<std::uint64_t, 3> rate_bps{1'000'000'000, 1'000'000'000, 1'000'000'000};
  std::array<std::uint64_t, 3> queue_bytes{};  ///< before each line; 0: 50 ms of its rate
  std::array<double, 3> loss{};                ///< share of segments, each way
  CongestionControls congestion{};
  bool server_nopush = false;
  std::uint64_t seed = 1;  ///< of file contents and losses
  std::string version;     ///< of this program, for the report
  std::string command;     ///< as it was called, for the report
};

/// The links that are asked for.
TopologyShape shape_of(const WanOptions& options);

/// "client=0.1%,middle=1": percent of segments by link, added to `loss`; the sign may be missing.
/// The error says what is wrong with it.
Result<void> parse_loss(const std::string& text, std::array<double, 3>& loss);

/// Runs it all; a round takes about as long as its downloads (a minute with the options above).
/// Call from the main thread. If it is interrupted after the first counted download, the report has
/// what was measured until then. On every way out everything it made is gone, and what an earlier
/// run that was killed has left behind is removed first. Needs root.
Result<WanReport> run_wan(const WanOptions& options, Interrupt& interrupt, Progress& progress);

}  // namespace tw::lab
