// What a demonstration has found, and its three faces: a table for people, JSON for scripts, and a
// page with plots that opens without a network.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lab/probe/download.h"
#include "lab/probe/statistics.h"

namespace tw::lab {

struct LinkReport {
  std::string key;    ///< "client_rc", as in the JSON
  std::string title;  ///< "client – R_C"
  double nominal_ms = 0;
  Summary rtt_ms;  ///< by ICMP echo
  double p99_ms = 0;
};

struct Report {
  std::string version;
  std::string command;  ///< as it was called
  std::uint64_t seed = 0;
  double client_loss = 0;  ///< share
  std::uint64_t rate_bps = 0;
  std::vector<LinkReport> links{};
  Summary end_to_end_rtt_ms{};  ///< client to server; its median is the ideal first byte
  std::vector<std::pair<std::string, std::string>>
      environment{};                    ///< what was used: name and value
  std::vector<std::string> commands{};  ///< what was run in the namespaces, once each
  std::vector<Download> downloads{};    ///< in the order they were made
};

/// All repetitions of one size on one path.
struct Row {
  std::uint64_t bytes = 0;
  Path path = Path::end_to_end;
  Summary ttfb_ms{};
  Summary total_ms{};
  bool sha256_ok = false;   ///< of every one of them
  double ttfb_speedup = 0;  ///< median of end-to-end over median of this; 0: no such row
  double total_speedup = 0;
};

/// Sizes ascending; within a size, the paths in their order.
std::vector<Row> rows_of(const Report& report);
/// "10 KB": decimal, as in the paper.
std::string size_text(std::uint64_t bytes);

/// What the links really do, a line each.
std::string links_text(const std::vector<LinkReport>& links, const Summary& end_to_end_ms);

std::string to_table(const Report& report);
/// `indent` in columns; negative: one line.
std::string to_json(const Report& report, int indent = 2);
/// `page` is the template of web/demo.html, with the plotting library in it already.
std::string to_html(const Report& report, std::string_view page);

}  // namespace tw::lab
