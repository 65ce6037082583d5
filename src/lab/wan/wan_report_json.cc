#include "lab/report/download_json.h"
#include "lab/wan/wan_report.h"

namespace tw::lab {
namespace {

using Json = ReportJson;

Json spread_json(const Spread& spread) {
  Json json = summary_json(spread.summary);
  json["p5"] = rounded(spread.p5);
  json["p95"] = rounded(spread.p95);
  if (spread.median_interval) {
    json["median_95"] = {rounded(spread.median_interval->low),
                         rounded(spread.median_interval->high)};
  }
  json["count"] = spread.summary.count;
  return json;
}

Json prediction_json(const Prediction& prediction) {
  return {{"ttfb_ms", rounded(prediction.ttfb_ms)}, {"total_ms", rounded(prediction.total_ms)}};
}

Json rows_json(const WanReport& report) {
  Json rows = Json::array();
  for (const WanRow& row : rows_of(report)) {
    Json entry{{"bytes", row.bytes},
               {"configuration", name_of(row.configuration)},
               {"ttfb_ms", spread_json(row.ttfb_ms)},
               {"total_ms", spread_json(row.total_ms)},
               {"failed", row.failed},
               {"sha256_ok", row.sha256_ok},
               {"model", prediction_json(row.model)},
               {"ideal", prediction_json(row.ideal)},
               {"retransmitted_percent", rounded(row.retransmitted * 100)}};
    if (row.total_speedup > 0) {
      entry["speedup"] = speedup_json(row);
    }
    if (row.cpu_ms_per_mb) entry["cpu_ms_per_mb"] = rounded(*row.cpu_ms_per_mb);
    if (row.switches_per_mb) entry["switches_per_mb"] = rounded(*row.switches_per_mb);
    if (row.calls_per_mb) entry["system_calls_per_mb"] = rounded(*row.calls_per_mb);
    rows.push_back(std::move(entry));
  }
  return rows;
}

Json runs_json(const WanReport& report) {
  Json runs = Json::array();
  for (const WanDownload& download : report.downloads) {
    Json run{{"round", download.round},
             {"counted", download.counted},
             {"bytes", download.bytes},
             {"configuration", name_of(download.configuration)},
             {"completed", download.completed}};
    if (download.completed) {
      run["ttfb_ms"] = rounded(download.ttfb_ms);
      run["total_ms"] = rounded(download.total_ms);
      run["sha256_ok"] = download.sha256_ok;
      run["sent"] = download.middle.sent;
      run["retransmitted"] = download.middle.retransmitted;
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

Json pairs_json(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json json = Json::object();
  for (const auto& [name, value] : pairs) json[name] = value;
  return json;
}

Json meanings_json() {
  Json meanings = Json::object();
  for (const Configuration configuration : all_configurations) {
    meanings[std::string{name_of(configuration)}] = traits_of(configuration).meaning;
  }
  return meanings;
}

}  // namespace

ReportJson to_json(const WanReport& report) {
  Json json = download_report_json(report);
  json["configurations"] = meanings_json();
  json["downloads"] = rows_json(report);
  json["runs"] = runs_json(report);
  json["skipped"] = pairs_json(report.skipped);
  json["paper"] = pairs_json(report.paper);
  json["interrupted"] = report.interrupted;
  return json;
}

}  // namespace tw::lab
