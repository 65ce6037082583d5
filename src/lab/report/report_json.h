// Parts that the reports' JSON has in common.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "lab/report/report.h"

namespace tw::lab {

using ReportJson = nlohmann::ordered_json;

/// To a thousandth: more digits than anything here is worth.
inline double rounded(double value) { return std::round(value * 1e3) / 1e3; }

ReportJson summary_json(const Summary& summary);

/// {"client_rc": 32.71, …}: medians.
ReportJson rtt_json(const std::vector<LinkReport>& links);

/// What was used, by name; and of each link, what was asked for and what was measured.
ReportJson environment_json(const std::vector<std::pair<std::string, std::string>>& facts,
                            const std::vector<LinkReport>& links);

/// A name that is not UTF-8 must not cost the whole report. `indent` in columns; negative: one
/// line.
std::string dumped(const ReportJson& json, int indent);

}  // namespace tw::lab
