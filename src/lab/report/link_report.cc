#include "lab/report/link_report.h"

#include <fmt/format.h>

#include "lab/report/json.h"

namespace tw::lab {

std::string links_text(const std::vector<LinkReport>& links, const Summary& end_to_end_ms) {
  std::string text = "round trips by ICMP echo, ms\n";
  for (const LinkReport& link : links) {
    text += fmt::format("  {}: {:.2f} (asked for {:g}; 99 % below {:.2f})\n", link.title,
                        link.rtt_ms.median, link.nominal_ms, link.p99_ms);
  }
  return text + fmt::format("  client – server: {:.2f}\n", end_to_end_ms.median);
}

ReportJson rtt_json(const std::vector<LinkReport>& links) {
  ReportJson rtt = ReportJson::object();
  for (const LinkReport& link : links) rtt[link.key] = rounded(link.rtt_ms.median);
  return rtt;
}

ReportJson environment_json(const std::vector<std::pair<std::string, std::string>>& facts,
                            const std::vector<LinkReport>& links) {
  ReportJson nominal = ReportJson::object(), measured = ReportJson::object();
  for (const LinkReport& link : links) {
    nominal[link.key] = link.nominal_ms;
    measured[link.key] = summary_json(link.rtt_ms);
    measured[link.key]["p99"] = rounded(link.p99_ms);
    measured[link.key]["echoes"] = link.rtt_ms.count;
  }
  ReportJson environment = ReportJson::object();
  for (const auto& [name, value] : facts) environment[name] = value;
  environment["nominal_rtt_ms"] = std::move(nominal);
  environment["measured_rtt_ms"] = std::move(measured);
  return environment;
}

}  // namespace tw::lab
