#include "lab/wan/wan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "lab/report/page.h"
#include "lab/wan/wan_rounds.h"

namespace tw::lab {
namespace {

std::vector<std::string> configuration_names() {
  std::vector<std::string> names;
  names.reserve(configuration_count);
  for (const Configuration configuration : all_configurations) {
    names.emplace_back(name_of(configuration));
  }
  return names;
}

/// One value is for every link. Returns false if there are neither one nor three.
template <typename From, typename To>
bool spread(const std::vector<From>& values, To per_value, std::array<std::uint64_t, 3>& links) {
  if (values.empty()) return true;
  if (values.size() != 1 && values.size() != links.size()) return false;
  for (std::size_t link = 0; link < links.size(); ++link) {
    links[link] = per_value(values[values.size() == 1 ? 0 : link]);
  }
  return true;
}

}  // namespace

Repetition WanExperiment::repetition() const {
  return {.runs = 50,
          .warmups = 1,
          .quick_help = "10 KB and 1 MB, three times each, no warm-up",
          .seed_help = "Of file contents, losses and the order of downloads (1)"};
}

void WanExperiment::options(OptionSet& set) {
  set.sizes("--sizes", options_.sizes, {1, 1e9},
            "Sizes of the downloads, with commas (10KB,100KB,1MB,10MB)");
  set.choices("--configurations", texts_.configurations, configuration_names(),
              fmt::format("Only some of: {}", fmt::join(configuration_names(), ",")));
  set.numbers("--rtt", texts_.rtt_ms, {0, 2000}, 3,
              "ms: client – R_C, R_C – R_S, R_S – server (32.7,215,26)");
  set.numbers("--rate", texts_.rates_mbps, {1, 10'000}, 0,
              "Mbps each way: of all links, or of each of the three (1000)");
  set.sizes("--queue", texts_.queues, {0, 1e9},
            "Bytes that wait before a line: of all links, or of each of the three; 0: 50 ms of its "
            "rate");
  set.text("--loss", texts_.loss,
           "Percent of segments lost each way, by link: client=0.1%,middle=…,server=…");
  set.text("--congestion", options_.congestion.ends,
           "Congestion control of client, server and both PoPs (cubic)");
  set.text("--pop-congestion", texts_.pop_congestion,
           "Congestion control of the PoPs towards client and server (as --congestion)");
  set.text("--leg-congestion", texts_.leg_congestion,
           "Congestion control of the relay's legs (as --congestion)");
  set.flag("--server-nopush", options_.server_nopush,
           "nginx sends headers and file together (tcp_nopush on)");
  set.text("--paper", texts_.paper,
           "CSV with the paper's figures, to print beside what was measured");
}

Result<void> WanExperiment::settle(const OptionSet& set, const Settings& settings) {
  if (settings.quick && !set.given("--sizes")) options_.sizes = {10'000, 1'000'000};
  // A size that is named twice would be one row of twice the runs.
  std::ranges::sort(options_.sizes);
  const auto repeated = std::ranges::unique(options_.sizes);
  options_.sizes.erase(repeated.begin(), repeated.end());
  for (const std::string& name : texts_.configurations) {
    if (const auto configuration = parse_configuration(name)) {
      options_.configurations.push_back(*configuration);
    }
  }
  const auto given = [&](const std::string& name) {
    return name.empty() ? options_.congestion.ends : name;
  };
  options_.congestion.pops = given(texts_.pop_congestion);
  options_.congestion.legs = given(texts_.leg_congestion);
  options_.seed = settings.seed;
  return settle_links();
}

Result<void> WanExperiment::settle_links() {
  if (!texts_.rtt_ms.empty()) std::ranges::copy(texts_.rtt_ms, options_.rtt_ms.begin());
  const auto bits = [](double mbps) { return static_cast<std::uint64_t>(mbps * 1e6); };
  if (!spread(texts_.rates_mbps, bits, options_.rate_bps)) {
    return make_error(Error::Kind::config, "--rate: one for all links, or one for each of three");
  }
  if (!spread(texts_.queues, std::identity{}, options_.queue_bytes)) {
    return make_error(Error::Kind::config, "--queue: one for all links, or one for each of three");
  }
  if (texts_.loss.empty()) return {};
  auto read = parse_loss(texts_.loss, options_.loss);
  return read ? read : in_context("--loss", read.error());
}

Result<std::unique_ptr<Rounds>> WanExperiment::prepare(Run& run) {
  if (!texts_.paper.empty()) {
    auto read = read_paper(texts_.paper);
    if (!read) return in_context("--paper", read.error());
    paper_ = std::move(*read);
  }
  report_ = {.version = run.settings.version,
             .command = run.settings.command,
             .seed = options_.seed,
             .rate_bps = options_.rate_bps,
             .server_nopush = options_.server_nopush};
  return WanRounds::start(options_, report_, run);
}

Findings WanExperiment::report(const Results& results) {
  report_.interrupted = results.interrupted;
  report_.paper = compare(paper_, report_);
  Findings findings{.table = to_table(report_), .json = to_json(report_), .page = wan_page()};
  if (!std::ranges::all_of(rows_of(report_), &WanRow::sound)) {
    findings.fault = "a download failed, or its checksum was wrong";
  }
  return findings;
}

}  // namespace tw::lab
