#include "lab/demo/demo.h"

#include <algorithm>

#include "lab/demo/demo_rounds.h"
#include "lab/report/page.h"

namespace tw::lab {

Repetition DemoExperiment::repetition() const {
  return {.runs = 5,
          .warmups = 0,
          .quick_help = "10 KB and 1 MB, three times each: under 45 s",
          .seed_help = "Of file contents, losses and the order of downloads (1)"};
}

void DemoExperiment::options(OptionSet& set) {
  set.sizes("--sizes", options_.sizes, {1, 1e9},
            "Sizes of the downloads, with commas (10KB,100KB,1MB,10MB)");
  set.choices("--paths", paths_, {"end-to-end", "tunnelled", "relayed"},
              "Only some of: end-to-end,tunnelled,relayed");
  set.number("--rate", rate_mbps_, {1, 10'000}, "Mbps of every link, each way (1000)");
  set.number("--loss", loss_percent_, {0, 50}, "Percent lost between client and R_C (0)");
}

Result<void> DemoExperiment::settle(const OptionSet& set, const Settings& settings) {
  if (settings.quick && !set.given("--sizes")) options_.sizes = {10'000, 1'000'000};
  if (!paths_.empty()) options_.paths.clear();
  for (const std::string& name : paths_) {
    if (const auto path = parse_path(name)) options_.paths.push_back(*path);
  }
  options_.rate_bps = static_cast<std::uint64_t>(rate_mbps_ * 1e6);
  options_.client_loss = loss_percent_ / 100;
  return {};
}

Result<std::unique_ptr<Rounds>> DemoExperiment::prepare(Run& run) {
  report_ = {.version = run.settings.version,
             .command = run.settings.command,
             .seed = run.settings.seed,
             .client_loss = options_.client_loss,
             .rate_bps = options_.rate_bps};
  return DemoRounds::start(options_, report_, run);
}

Findings DemoExperiment::report(const Results& /*results*/) {
  Findings findings{.table = to_table(report_), .json = to_json(report_), .page = demo_page()};
  if (!std::ranges::all_of(rows_of(report_), &DemoRow::sha256_ok)) {
    findings.fault = "a download's checksum was wrong";
  }
  return findings;
}

}  // namespace tw::lab
