// The paper's own figures, from a file of the user's: a CSV with the columns where, experiment,
// configuration, metric, value and unit (others may stand between). Its configurations have other
// names than ours; what of it can be compared is listed in paper.cc.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "lab/wan/wan_report.h"

namespace tw::lab {

struct PaperFigure {
  std::string configuration;  ///< "KTCP+TP+ES", as the paper has it
  std::string metric;
  double value = 0;
  std::string unit;
};

/// The fields of a line of CSV; a quoted field may have commas, and quotes that are doubled.
std::vector<std::string> csv_fields(std::string_view line);

/// The figures in the text that are about split TCP and are numbers. An error if a column is
/// missing or there are none.
Result<std::vector<PaperFigure>> parse_paper(std::string_view csv);
Result<std::vector<PaperFigure>> read_paper(const std::string& path);

/// The paper's figures of a configuration beside those measured here, as lines for the report.
std::vector<std::pair<std::string, std::string>> compare(const std::vector<PaperFigure>& figures,
                                                         const WanReport& report);

}  // namespace tw::lab
