#include "node/control/reload_report.h"

#include <nlohmann/json.hpp>

namespace tw::node {

std::string to_json(const ReloadReport& report) {
  using Json = nlohmann::json;
  Json json{{"file", report.file},
            {"dry_run", report.dry_run},
            {"mistakes", report.mistakes},
            {"changes", report.changes},
            {"forgotten", report.forgotten},
            {"connections_reset", report.connections_reset},
            {"flows_ended", report.flows_ended},
            {"took_up_relay", report.took_up_relay}};
  if (report.error.empty()) {
    json["ok"] = true;
  } else {
    json["error"] = report.error;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tw::node
