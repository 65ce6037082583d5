#include <fmt/format.h>

#include <algorithm>

#include "lab/report/units.h"
#include "lab/wan/wan_report.h"

namespace tw::lab {
namespace {

/// "306 (305–308)"
std::string spread_text(const Spread& spread) {
  if (spread.summary.count == 0) return "–";
  return fmt::format("{:.0f} ({:.0f}–{:.0f})", spread.summary.median, spread.p5, spread.p95);
}

std::string speedup_text(const WanRow& row, double speedup) {
  if (row.configuration == Configuration::end_to_end || speedup == 0) return "";
  return fmt::format("{:.2f}x", speedup);
}

std::string optional_text(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "";
}

std::string row_text(const WanRow& row, bool first_of_size) {
  std::string remark;
  if (row.failed > 0) remark += fmt::format("  {} FAILED", row.failed);
  if (!row.sha256_ok) remark += "  CHECKSUM WRONG";
  return fmt::format(
      "{:>7}  {:<20} {:>17} {:>6.0f} {:>7} {:>20} {:>6.0f} {:>7} {:>7.2f} {:>7} {:>7} {:>7}{}\n",
      first_of_size ? size_text(row.bytes) : "", name_of(row.configuration),
      spread_text(row.ttfb_ms), row.model.ttfb_ms, speedup_text(row, row.ttfb_speedup),
      spread_text(row.total_ms), row.model.total_ms, speedup_text(row, row.total_speedup),
      row.retransmitted * 100, optional_text(row.cpu_ms_per_mb, 1),
      optional_text(row.switches_per_mb, 0), optional_text(row.calls_per_mb, 0), remark);
}

}  // namespace

std::string to_table(const WanReport& report) {
  std::string text = links_text(report.links, report.end_to_end_rtt_ms);
  for (const auto& [name, value] : report.environment) text += fmt::format("{}: {}\n", name, value);
  for (const auto& [name, why] : report.skipped) text += fmt::format("without {}: {}\n", name, why);
  text +=
      fmt::format("\n{:>7}  {:<20} {:>17} {:>6} {:>7} {:>20} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7}\n",
                  "size", "", "first byte, ms", "model", "speed", "total, ms", "model", "speed",
                  "again %", "ms/MB", "sw/MB", "sc/MB");
  std::uint64_t last = 0;
  bool sound = true;
  std::size_t most = 0;
  for (const WanRow& row : rows_of(report)) {
    text += row_text(row, row.bytes != last);
    last = row.bytes;
    sound = sound && row.sound();
    most = std::max(most, row.total_ms.summary.count);
  }
  text += fmt::format(
      "\nmedian (5 %–95 %) of {} runs; model: round trips, slow start and rates alone; speed: "
      "against\nend-to-end; again: segments sent twice by whose TCP sends over the middle link; "
      "ms/MB, sw/MB, sc/MB:\nCPU time, context switches and system calls of the programs on R_C "
      "and "
      "R_S. Ideal first byte: one\nend-to-end round trip, {:.1f} ms. Checksums: {}.{}\n",
      most, report.end_to_end_rtt_ms.median, sound ? "all right" : "NOT ALL RIGHT",
      report.interrupted ? " Interrupted: not all runs are in it." : "");
  for (const auto& [configuration, says] : report.paper) {
    text += fmt::format("paper, {}: {}\n", configuration, says);
  }
  return text;
}

}  // namespace tw::lab
