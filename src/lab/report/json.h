// The parts that the JSON of all reports has in common.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "base/statistics.h"

namespace tw::lab {

using ReportJson = nlohmann::ordered_json;

/// To a thousandth: more digits than anything here is worth.
inline double rounded(double value) { return std::round(value * 1e3) / 1e3; }

ReportJson summary_json(const Summary& summary);

/// Returns the text of `json`. A name that is not UTF-8 does not cost the whole report. `indent` in
/// columns; negative: one line.
std::string dumped(const ReportJson& json, int indent);

}  // namespace tw::lab
