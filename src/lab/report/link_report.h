// The emulated links of a run as its report tells them: what was asked for, and what was measured.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/statistics.h"

namespace tw::lab {

struct LinkReport {
  std::string key;    ///< "client_rc", as in the JSON
  std::string title;  ///< "client – R_C"
  double nominal_ms = 0;
  Summary rtt_ms;  ///< by ICMP echo
  double p99_ms = 0;
};

/// Returns the measured round trips of the links, a line each.
std::string links_text(const std::vector<LinkReport>& links, const Summary& end_to_end_ms);

/// {"client_rc": 32.71, …}: medians.
nlohmann::ordered_json rtt_json(const std::vector<LinkReport>& links);

/// Returns the facts by name, and for each link the round trip asked for and the measured one.
nlohmann::ordered_json environment_json(
    const std::vector<std::pair<std::string, std::string>>& facts,
    const std::vector<LinkReport>& links);

}  // namespace tw::lab
