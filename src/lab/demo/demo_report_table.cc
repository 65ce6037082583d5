#include <fmt/format.h>

#include "lab/demo/demo_report.h"
#include "lab/report/units.h"

namespace tw::lab {
namespace {

/// "306 (305–308)"
std::string range_text(const Summary& summary) {
  return fmt::format("{:.0f} ({:.0f}–{:.0f})", summary.median, summary.min, summary.max);
}

std::string speedup_text(const DemoRow& row, double speedup) {
  if (row.path == Path::end_to_end || speedup == 0) return "";
  return fmt::format("{:.2f}x", speedup);
}

}  // namespace

std::string to_table(const DemoReport& report) {
  std::string text = links_text(report.links, report.end_to_end_rtt_ms);
  for (const auto& [name, value] : report.environment) text += fmt::format("{}: {}\n", name, value);
  text += fmt::format("\n{:>8}  {:<11} {:>22} {:>9} {:>22} {:>9}\n", "size", "path",
                      "first byte, ms", "speed-up", "total, ms", "speed-up");
  std::uint64_t last = 0;
  bool all_ok = true;
  for (const DemoRow& row : rows_of(report)) {
    // fmt counts the dash as one column, as a terminal does.
    text += fmt::format("{:>8}  {:<11} {:>22} {:>9} {:>22} {:>9}{}\n",
                        row.bytes == last ? "" : size_text(row.bytes), name_of(row.path),
                        range_text(row.ttfb_ms), speedup_text(row, row.ttfb_speedup),
                        range_text(row.total_ms), speedup_text(row, row.total_speedup),
                        row.sha256_ok ? "" : "  CHECKSUM WRONG");
    last = row.bytes;
    all_ok = all_ok && row.sha256_ok;
  }
  text += fmt::format(
      "\nmedian (min–max) of the runs; speed-up against end-to-end; ideal first byte: one "
      "end-to-end\n"
      "round trip, {:.1f} ms. For comparison: KTCP reports up to 3x. Checksums: {}.\n",
      report.end_to_end_rtt_ms.median, all_ok ? "all right" : "WRONG");
  return text;
}

}  // namespace tw::lab
