#include "lab/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tw::lab {
namespace {

double ratio(double base, double value) { return value > 0 ? base / value : 0; }

Row row_of(const Report& report, std::uint64_t bytes, Path path) {
  std::vector<double> ttfb, total;
  Row row{.bytes = bytes, .path = path, .sha256_ok = true};
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

std::vector<Row> rows_of(const Report& report) {
  std::set<std::uint64_t> sizes;
  for (const Download& download : report.downloads) sizes.insert(download.bytes);
  std::vector<Row> rows;
  for (const std::uint64_t bytes : sizes) {
    const Row base = row_of(report, bytes, Path::end_to_end);
    for (const Path path : all_paths) {
      Row row = row_of(report, bytes, path);
      if (row.total_ms.count == 0) continue;
      row.ttfb_speedup = ratio(base.ttfb_ms.median, row.ttfb_ms.median);
      row.total_speedup = ratio(base.total_ms.median, row.total_ms.median);
      rows.push_back(row);
    }
  }
  return rows;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::uint64_t kilo = 1000;
  if (bytes >= kilo * kilo) return fmt::format("{:g} MB", static_cast<double>(bytes) / 1e6);
  if (bytes >= kilo) return fmt::format("{:g} KB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{} B", bytes);
}

}  // namespace tw::lab
