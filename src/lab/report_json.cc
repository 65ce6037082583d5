#include <cmath>
#include <nlohmann/json.hpp>

#include "lab/report.h"

namespace tw::lab {
namespace {

using Json = nlohmann::ordered_json;

/// To a microsecond: more digits than anything here is worth.
double rounded(double ms) { return std::round(ms * 1e3) / 1e3; }

Json summary_json(const Summary& summary) {
  return {{"median", rounded(summary.median)},
          {"min", rounded(summary.min)},
          {"max", rounded(summary.max)}};
}

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

std::string to_json(const Report& report, int indent) {
  Json rtt = Json::object(), nominal = Json::object(), measured = Json::object();
  for (const LinkReport& link : report.links) {
    rtt[link.key] = rounded(link.rtt_ms.median);
    nominal[link.key] = link.nominal_ms;
    measured[link.key] = summary_json(link.rtt_ms);
    measured[link.key]["p99"] = rounded(link.p99_ms);
    measured[link.key]["echoes"] = link.rtt_ms.count;
  }
  Json environment = Json::object();
  for (const auto& [name, value] : report.environment) environment[name] = value;
  environment["nominal_rtt_ms"] = std::move(nominal);
  environment["measured_rtt_ms"] = std::move(measured);
  environment["rate_bps"] = report.rate_bps;
  environment["client_loss"] = report.client_loss;
  const Json json{{"rtt_ms", std::move(rtt)},
                  {"ideal_ttfb_ms", rounded(report.end_to_end_rtt_ms.median)},
                  {"downloads", rows_json(report)},
                  {"runs", runs_json(report)},
                  {"environment", std::move(environment)},
                  {"command", report.command},
                  {"commands", report.commands},
                  {"seed", report.seed},
                  {"version", report.version}};
  // A name that is not UTF-8 must not cost the whole report.
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tw::lab
