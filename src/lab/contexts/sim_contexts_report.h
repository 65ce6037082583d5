// The report of `thalweg sim contexts`: the table for people, and the members of its JSON that are
// not the frame's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/contexts/sim_contexts.h"
#include "lab/report/json.h"
#include "lab/report/results.h"

namespace tw::lab {

std::string contexts_table(const SimContextsOptions& options,
                           const std::vector<ContextsLevel>& levels, const Results& results);
ReportJson contexts_json(const SimContextsOptions& options,
                         const std::vector<ContextsLevel>& levels, const Results& results);
/// `paper`, and `deliver_by_core`, whose cores are ordered by how busy they were in each seed.
std::map<std::size_t, ReportJson> contexts_row_members(const std::vector<ContextsLevel>& levels);

}  // namespace tw::lab
