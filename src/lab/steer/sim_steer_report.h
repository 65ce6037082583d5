// The report of `thalweg sim steer`: the table for people, and the members of its JSON that are not
// the frame's.
#pragma once

#include <string>

#include "lab/report/json.h"
#include "lab/report/results.h"
#include "lab/steer/sim_steer.h"

namespace tw::lab {

/// Levels are ordered by load, then by policy.
std::string steer_table(const SimSteerOptions& options, const Results& results);
ReportJson steer_json(const SimSteerOptions& options, const Results& results);

}  // namespace tw::lab
