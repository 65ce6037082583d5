#include "lab/demo/demo_report.h"
#include "lab/report/json.h"

namespace tw::lab {
namespace {

using Json = ReportJson;

Json rows_json(const DemoReport& report) {
  Json rows = Json::array();
  for (const DemoRow& row : rows_of(report)) {
    Json entry{{"bytes", row.bytes},
               {"path", name_of(row.path)},
               {"ttfb_ms", summary_json(row.ttfb_ms)},
               {"total_ms", summary_json(row.total_ms)},
               {"sha256_ok", row.sha256_ok}};
    if (row.total_speedup > 0) {
      entry["speedup"] = {{"ttfb", rounded(row.ttfb_speedup)},
                          {"total", rounded(row.total_speedup)}};
    }
    rows.push_back(std::move(entry));
  }
  return rows;
}

Json runs_json(const DemoReport& report) {
  Json runs = Json::array();
  for (const Download& download : report.downloads) {
    runs.push_back({{"repetition", download.repetition},
                    {"bytes", download.bytes},
                    {"path", name_of(download.path)},
                    {"ttfb_ms", rounded(download.ttfb_ms)},
                    {"total_ms", rounded(download.total_ms)},
                    {"sha256_ok", download.sha256_ok}});
  }
  return runs;
}

}  // namespace

ReportJson to_json(const DemoReport& report) {
  Json environment = environment_json(report.environment, report.links);
  environment["rate_bps"] = report.rate_bps;
  environment["client_loss"] = report.client_loss;
  return {{"rtt_ms", rtt_json(report.links)},
          {"ideal_ttfb_ms", rounded(report.end_to_end_rtt_ms.median)},
          {"downloads", rows_json(report)},
          {"runs", runs_json(report)},
          {"environment", std::move(environment)},
          {"command", report.command},
          {"commands", report.commands},
          {"seed", report.seed},
          {"version", report.version}};
}

}  // namespace tw::lab
