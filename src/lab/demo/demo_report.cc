#include "lab/demo/demo_report.h"

#include <set>

namespace tw::lab {
namespace {

double ratio(double base, double value) { return value > 0 ? base / value : 0; }

DemoRow row_of(const DemoReport& report, std::uint64_t bytes, Path path) {
  std::vector<double> ttfb, total;
  DemoRow row{.bytes = bytes, .path = path, .sha256_ok = true};
  for (const Download& download : report.downloads) {
    if (download.bytes != bytes || download.path != path) continue;
    ttfb.push_back(download.ttfb_ms);
    total.push_back(download.total_ms);
    row.sha256_ok = row.sha256_ok && download.sha256_ok;
  }
  row.ttfb_ms = summarise(ttfb);
  row.total_ms = summarise(total);
  return row;
}

}  // namespace

std::vector<DemoRow> rows_of(const DemoReport& report) {
  std::set<std::uint64_t> sizes;
  for (const Download& download : report.downloads) sizes.insert(download.bytes);
  std::vector<DemoRow> rows;
  for (const std::uint64_t bytes : sizes) {
    const DemoRow base = row_of(report, bytes, Path::end_to_end);
    for (const Path path : all_paths) {
      DemoRow row = row_of(report, bytes, path);
      if (row.total_ms.count == 0) continue;
      row.ttfb_speedup = ratio(base.ttfb_ms.median, row.ttfb_ms.median);
      row.total_speedup = ratio(base.total_ms.median, row.total_ms.median);
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace tw::lab
