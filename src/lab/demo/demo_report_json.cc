#include "lab/demo/demo_report.h"
#include "lab/report/download_json.h"

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
      entry["speedup"] = speedup_json(row);
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
  Json json = download_report_json(report);
  json["environment"]["client_loss"] = report.client_loss;
  json["downloads"] = rows_json(report);
  json["runs"] = runs_json(report);
  return json;
}

}  // namespace tw::lab
