// The downloads of a run and their rows, beside the model's predictions; as table and JSON, and as
// lines for people.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/statistics.h"
#include "lab/probe/process_cost.h"
#include "lab/probe/tcp_counts.h"
#include "lab/report/link_report.h"
#include "lab/wan/configuration.h"
#include "lab/wan/model.h"

namespace tw::lab {

struct WanDownload {
  std::uint64_t bytes = 0;
  Configuration configuration = Configuration::end_to_end;
  std::uint32_t round = 0;  ///< from 0; those that are not counted have rounds of their own
  bool counted = true;
  bool completed = false;  ///< otherwise there are no times
  bool sha256_ok = false;
  double ttfb_ms = 0;
  double total_ms = 0;
  TcpCounts middle{};  ///< of the host whose TCP sends over the middle link, meanwhile
  ProcessCost cost{};  ///< of the programs on R_C and R_S that carry the bytes
  std::optional<std::uint64_t> calls{};  ///< system calls of the same; none where not counted
};

struct WanReport {
  std::string version;
  std::string command;
  std::uint64_t seed = 0;
  std::array<std::uint64_t, 3> rate_bps{};  ///< client, middle, server
  bool server_nopush = false;
  bool interrupted = false;  ///< then it holds what was measured until then
  std::vector<LinkReport> links{};
  Summary end_to_end_rtt_ms{};
  std::vector<std::pair<std::string, std::string>> environment{};
  std::vector<std::pair<std::string, std::string>> skipped{};  ///< configuration, and why
  std::vector<std::string> commands{};
  std::vector<WanDownload> downloads{};  ///< in the order they were made
  std::vector<std::pair<std::string, std::string>>
      paper{};  ///< the paper's words, by configuration
};

/// Where the values of one figure lie.
struct Spread {
  Summary summary{};
  double p5 = 0;
  double p95 = 0;
  std::optional<Interval> median_interval{};  ///< 95 %
};

Spread spread_of(const std::vector<double>& values);

/// All counted downloads of one size in one configuration.
struct WanRow {
  std::uint64_t bytes = 0;
  Configuration configuration = Configuration::end_to_end;
  Spread ttfb_ms{}, total_ms{};
  std::size_t failed = 0;  ///< did not complete; they are in no other figure
  bool sha256_ok = false;  ///< of all that completed
  Prediction model{}, ideal{};
  double ttfb_speedup = 0;  ///< median of end-to-end over median of this; 0: no such row
  double total_speedup = 0;
  double retransmitted = 0;  ///< share of what left over the middle link, all runs together
  std::optional<double> cpu_ms_per_mb{};  ///< none where only the kernel carries
  std::optional<double> switches_per_mb{};
  std::optional<double> calls_per_mb{};  ///< none, too, if a download's were not counted

  /// Returns true if nothing went wrong.
  bool sound() const noexcept { return failed == 0 && sha256_ok; }
};

/// Sizes ascending; within a size, the configurations in their order.
std::vector<WanRow> rows_of(const WanReport& report);

/// The model's input for a download: measured round trips, and the rates that were asked for.
ModelInput model_input(const WanReport& report, Configuration configuration, std::uint64_t bytes);

std::string to_table(const WanReport& report);
/// The members of the report beside the frame's.
nlohmann::ordered_json to_json(const WanReport& report);

}  // namespace tw::lab
