#include "lab/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "lab/probe/machine_cpu.h"
#include "lab/report/page.h"
#include "lab/report/schedule.h"

namespace tw::lab {
namespace {

/// A measurement during which the host took more of the machine's time counts as disturbed.
constexpr double disturbing_share = 0.02;

/// Measures round after round.
class RoundLoop {
 public:
  RoundLoop(Rounds& rounds, Plan plan, Run& run, Results& results, bool shows_steps)
      : rounds_(rounds),
        plan_(std::move(plan)),
        run_(run),
        results_(results),
        shows_steps_(shows_steps),
        order_(run.settings.seed),
        left_(plan_.levels) {
    results_.levels = plan_.levels;
    results_.leaves_out_disturbed = plan_.most_runs > run.settings.runs;
  }

  Result<void> measure_all() {
    std::vector<std::size_t> all(plan_.levels.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    const Settings& settings = run_.settings;
    planned_ = all.size() * (std::size_t{settings.warmups} + settings.runs);
    Result<void> done;
    for (std::uint32_t round = 0; done && round < settings.warmups; ++round) {
      done = measure_round(all, {.number = round, .counted = false});
    }
    for (std::uint32_t round = 0; done && round < settings.runs; ++round) {
      done = measure_round(all, {.number = round});
    }
    for (std::uint32_t round = settings.runs; done && round < plan_.most_runs; ++round) {
      std::vector<std::size_t> open = all;
      std::erase_if(open, [&](std::size_t level) { return is_settled(level); });
      if (open.empty()) break;
      planned_ += open.size();
      done = measure_round(open, {.number = round});
    }
    return done;
  }

 private:
  Result<void> measure_round(const std::vector<std::size_t>& levels, Round round) {
    for (const std::size_t level : order_.next(levels)) {
      if (run_.interrupt.fired()) return interrupted();
      show(level, round);
      if (auto done = measure(level, round); !done) return done;
    }
    return {};
  }

  Result<void> measure(std::size_t level, Round round) {
    const auto begin = std::chrono::steady_clock::now();
    const MachineCpu before = machine_cpu();
    auto measured = rounds_.measure(level, round, run_);
    if (!measured) return std::unexpected(measured.error());
    const double stolen = machine_cpu().since(before).stolen_share();
    left_.took(level, std::chrono::steady_clock::now() - begin);
    results_.measurements.push_back({.level = level,
                                     .round = round,
                                     .measured = std::move(*measured),
                                     .stolen = stolen,
                                     .disturbed = !plan_.simulated && stolen > disturbing_share});
    return {};
  }

  /// Each level that is left of what is planned takes as long as its others.
  Duration time_left() const {
    const std::size_t done = results_.measurements.size();
    Duration sum = Duration::zero();
    for (std::size_t level = 0; level < plan_.levels.size(); ++level) sum += left_.expect(level);
    const auto share = static_cast<double>(planned_ - std::min(done, planned_)) /
                       static_cast<double>(plan_.levels.size());
    return Duration{static_cast<Duration::rep>(static_cast<double>(sum.count()) * share)};
  }

  void show(std::size_t level, Round round) {
    run_.progress.due(time_left());
    if (!shows_steps_) return;
    const std::uint32_t of =
        round.counted ? std::max(run_.settings.runs, round.number + 1) : run_.settings.warmups;
    run_.progress.show(fmt::format("[{}/{}] {} {} of {}: {}", results_.measurements.size() + 1,
                                   planned_, round.counted ? "run" : "warm-up", round.number + 1,
                                   of, plan_.levels[level].title));
  }

  /// Returns true if the level has enough undisturbed measurements and narrow intervals.
  bool is_settled(std::size_t level) const {
    const ResultRow row = results_.row_of(level);
    if (results_.count_of(level) - std::min(row.disturbed, results_.count_of(level)) <
        run_.settings.runs) {
      return false;
    }
    return std::ranges::all_of(row.estimates, [&](const Estimate& estimate) {
      const MeanInterval& mean = estimate.mean;
      return mean.interval && mean.half_width() <= plan_.half_width * std::abs(mean.mean);
    });
  }

  Rounds& rounds_;
  const Plan plan_;
  Run& run_;
  Results& results_;
  const bool shows_steps_;
  RoundOrder order_;
  TimeLeft left_;
  std::size_t planned_ = 0;
};

/// Prepares and measures; when it returns, what was prepared is gone.
Result<void> measure(Experiment& experiment, Run& run, Results& results) {
  auto rounds = experiment.prepare(run);
  if (!rounds) return std::unexpected(rounds.error());
  const bool repeats = experiment.repetition().repeats;
  auto done = RoundLoop{**rounds, (*rounds)->plan(), run, results, repeats}.measure_all();
  run.progress.due(Duration::zero());
  if (done && repeats) run.progress.show("taking it down");
  return done;
}

ReportJson estimate_json(const Estimate& estimate) {
  ReportJson json{{"mean", rounded(estimate.mean.mean)}};
  if (estimate.mean.interval) {
    json["low"] = rounded(estimate.mean.interval->low);
    json["high"] = rounded(estimate.mean.interval->high);
  }
  json["runs"] = estimate.values.size();
  const std::vector<double> modes = two_modes(estimate.values);
  if (!modes.empty()) json["modes"] = modes;
  return json;
}

ReportJson rows_json(const Results& results, const Findings& findings) {
  ReportJson rows = ReportJson::array();
  for (const ResultRow& row : results.rows()) {
    ReportJson json = ReportJson::object();
    for (const Label& label : results.levels[row.level].labels) {
      std::visit([&](const auto& value) { json[label.name] = value; }, label.value);
    }
    for (const Estimate& estimate : row.estimates) json[estimate.name] = estimate_json(estimate);
    if (row.failed > 0) json["failed"] = row.failed;
    if (row.disturbed > 0) json["disturbed"] = row.disturbed;
    const auto more = findings.row_members.find(row.level);
    if (more != findings.row_members.end()) json.update(more->second);
    rows.push_back(std::move(json));
  }
  return rows;
}

ReportJson noise_json(const Provenance& provenance, const Results& results) {
  double most = 0;
  for (const Measurement& one : results.measurements) most = std::max(most, one.stolen);
  const auto disturbed = std::ranges::count_if(results.measurements, &Measurement::disturbed);
  ReportJson load = ReportJson::array();
  for (const double average : provenance.load_before) load.push_back(rounded(average));
  return {{"busy_cores_before", rounded(provenance.busy_before)},
          {"load_before", std::move(load)},
          {"most_stolen_percent", rounded(most * 100)},
          {"disturbed", disturbed}};
}

}  // namespace

std::string RunReport::table() const {
  if (!findings.table.empty()) return findings.table;
  return provenance_text(provenance) + "\n" + rows_table(results);
}

ReportJson RunReport::json() const {
  ReportJson options = ReportJson::object();
  for (const auto& [name, value] : provenance.options) options[name] = value;
  ReportJson json{{"experiment", experiment},
                  {"machine", machine_json(provenance)},
                  {"command", settings.command},
                  {"version", settings.version},
                  {"date", provenance.date},
                  {"seed", settings.seed},
                  {"settings", std::move(options)},
                  {"noise", noise_json(provenance, results)},
                  {"interrupted", results.interrupted},
                  {"rows", rows_json(results, findings)}};
  json.update(findings.json);
  return json;
}

std::string RunReport::html() const {
  const std::string_view page = findings.page.empty() ? experiment_page() : findings.page;
  return fill_page(page, dumped(json(), -1));
}

Result<RunReport> run_experiment(Experiment& experiment, const Settings& settings,
                                 Provenance provenance, Interrupt& interrupt, Progress& progress) {
  RunReport outcome{.experiment = experiment.name(),
                    .settings = settings,
                    .provenance = std::move(provenance),
                    .results = {},
                    .findings = {}};
  Run run{settings, interrupt, progress};
  const auto done = measure(experiment, run, outcome.results);
  Results& results = outcome.results;
  results.interrupted = interrupt.fired() && (!done || !experiment.repetition().repeats);
  if (!done) {
    const bool some = std::ranges::any_of(results.measurements,
                                          [](const Measurement& one) { return one.round.counted; });
    if (!results.interrupted || !some || !experiment.reports_interrupted()) {
      return std::unexpected(done.error());
    }
  }
  outcome.findings = experiment.report(results);
  return outcome;
}

}  // namespace tw::lab
