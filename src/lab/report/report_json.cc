#include "lab/report/report_json.h"

namespace tw::lab {
namespace {

using Json = ReportJson;

Json rows_json(const Report& report) {
  Json rows = Json::array();
  for (const Row& row : rows_of(report)) {
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

Json runs_json(const Report& report) {
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

ReportJson summary_json(const Summary& summary) {
  return {{"median", rounded(summary.median)},
          {"min", rounded(summary.min)},
          {"max", rounded(summary.max)}};
}

ReportJson rtt_json(const std::vector<LinkReport>& links) {
  Json rtt = Json::object();
  for (const LinkReport& link : links) rtt[link.key] = rounded(link.rtt_ms.median);
  return rtt;
}

ReportJson environment_json(const std::vector<std::pair<std::string, std::string>>& facts,
                            const std::vector<LinkReport>& links) {
  Json nominal = Json::object(), measured = Json::object();
  for (const LinkReport& link : links) {
    nominal[link.key] = link.nominal_ms;
    measured[link.key] = summary_json(link.rtt_ms);
    measured[link.key]["p99"] = rounded(link.p99_ms);
    measured[link.key]["echoes"] = link.rtt_ms.count;
  }
  Json environment = Json::object();
  for (const auto& [name, value] : facts) environment[name] = value;
  environment["nominal_rtt_ms"] = std::move(nominal);
  environment["measured_rtt_ms"] = std::move(measured);
  return environment;
}

std::string dumped(const ReportJson& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const Report& report, int indent) {
  Json environment = environment_json(report.environment, report.links);
  environment["rate_bps"] = report.rate_bps;
  environment["client_loss"] = report.client_loss;
  const Json json{{"rtt_ms", rtt_json(report.links)},
                  {"ideal_ttfb_ms", rounded(report.end_to_end_rtt_ms.median)},
                  {"downloads", rows_json(report)},
                  {"runs", runs_json(report)},
                  {"environment", std::move(environment)},
                  {"command", report.command},
                  {"commands", report.commands},
                  {"seed", report.seed},
                  {"version", report.version}};
  return dumped(json, indent);
}

}  // namespace tw::lab
