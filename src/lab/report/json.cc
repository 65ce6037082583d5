#include "lab/report/json.h"

namespace tw::lab {

ReportJson summary_json(const Summary& summary) {
  return {{"median", rounded(summary.median)},
          {"min", rounded(summary.min)},
          {"max", rounded(summary.max)}};
}

std::string dumped(const ReportJson& json, int indent) {
  return json.dump(indent, ' ', false, ReportJson::error_handler_t::replace);
}

}  // namespace tw::lab
