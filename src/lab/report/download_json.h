// The members of JSON that all reports of downloads over emulated links have in common.
#pragma once

#include <utility>

#include "lab/report/json.h"
#include "lab/report/link_report.h"

namespace tw::lab {

/// Returns the median of the direct downloads over that of a row's, for the first byte and in all.
template <typename Row>
ReportJson speedup_json(const Row& row) {
  return {{"ttfb", rounded(row.ttfb_speedup)}, {"total", rounded(row.total_speedup)}};
}

/// Returns the members before and around the downloads: links, environment, and how it was called.
template <typename Report>
ReportJson download_report_json(const Report& report) {
  ReportJson environment = environment_json(report.environment, report.links);
  environment["rate_bps"] = report.rate_bps;
  return {{"rtt_ms", rtt_json(report.links)},
          {"ideal_ttfb_ms", rounded(report.end_to_end_rtt_ms.median)},
          {"environment", std::move(environment)},
          {"command", report.command},
          {"commands", report.commands},
          {"seed", report.seed},
          {"version", report.version}};
}

}  // namespace tw::lab
