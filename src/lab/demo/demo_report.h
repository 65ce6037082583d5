// The downloads of a demonstration and their rows: a table for people, and JSON for scripts and for
// the page with plots (web/demo.html).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/statistics.h"
#include "lab/probe/download.h"
#include "lab/report/link_report.h"

namespace tw::lab {

struct DemoReport {
  std::string version;
  std::string command;  ///< as it was called
  std::uint64_t seed = 0;
  double client_loss = 0;  ///< share
  std::uint64_t rate_bps = 0;
  std::vector<LinkReport> links{};
  Summary end_to_end_rtt_ms{};  ///< client to server; its median is the ideal first byte
  std::vector<std::pair<std::string, std::string>>
      environment{};                    ///< programs and settings: name and value
  std::vector<std::string> commands{};  ///< the commands run in the namespaces, once each
  std::vector<Download> downloads{};    ///< in the order they were made
};

/// All repetitions of one size on one path.
struct DemoRow {
  std::uint64_t bytes = 0;
  Path path = Path::end_to_end;
  Summary ttfb_ms{};
  Summary total_ms{};
  bool sha256_ok = false;   ///< of every one of them
  double ttfb_speedup = 0;  ///< median of end-to-end over median of this; 0: no such row
  double total_speedup = 0;
};

/// Sizes ascending; within a size, the paths in their order.
std::vector<DemoRow> rows_of(const DemoReport& report);

std::string to_table(const DemoReport& report);
/// The members of the report beside the frame's.
nlohmann::ordered_json to_json(const DemoReport& report);

}  // namespace tw::lab
