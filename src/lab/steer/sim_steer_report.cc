#include "lab/steer/sim_steer_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

namespace tw::lab {
namespace {

/// p99 of the first policy divided by another's, at one load, seed by seed.
struct Ratio {
  std::string_view policy, to;
  double load = 0;
  MeanInterval p99;
};

std::optional<double> p99_of(const Results& results, std::size_t level, std::uint32_t round) {
  for (const Measurement& one : results.measurements) {
    if (one.level != level || one.round.number != round || !one.counts()) continue;
    const auto& figures = one.measured.figures;
    const auto found = std::ranges::find(figures, "p99_us", &Figures::value_type::first);
    if (found != figures.end()) return found->second;
  }
  return std::nullopt;
}

std::vector<Ratio> ratios_of(const SimSteerOptions& options, const Results& results) {
  std::uint32_t rounds = 0;
  for (const Measurement& one : results.measurements) {
    rounds = std::max(rounds, one.round.number + 1);
  }
  std::vector<Ratio> ratios;
  const std::size_t policies = options.policies.size();
  for (std::size_t level = 0; level < results.levels.size(); ++level) {
    if (level % policies == 0) continue;
    std::vector<double> values;
    for (std::uint32_t round = 0; round < rounds; ++round) {
      const auto first = p99_of(results, level - level % policies, round);
      const auto other = p99_of(results, level, round);
      if (first && other) values.push_back(*first / *other);
    }
    if (values.empty()) continue;
    ratios.push_back({.policy = name_of(options.policies.front()),
                      .to = name_of(options.policies[level % policies]),
                      .load = options.load.loads[level / policies],
                      .p99 = mean_interval(values)});
  }
  return ratios;
}

/// The interval, or the value of the only run.
Interval range_of(const MeanInterval& figure) {
  return figure.interval.value_or(Interval{figure.mean, figure.mean});
}

std::string spread(const MeanInterval& figure) {
  if (!figure.interval) return fmt::format("{:.1f}", figure.mean);
  return fmt::format("{:.1f} ({:.1f}–{:.1f})", figure.mean, figure.interval->low,
                     figure.interval->high);
}

struct NamedCost {
  std::string_view name;
  Duration cost;
};

std::vector<NamedCost> costs_of(const sim::SteerCosts& costs) {
  return {{"notice", costs.core.notice},
          {"wake_up", costs.core.wake_up},
          {"wake_other", costs.core.wake_other},
          {"empty_turn", costs.core.empty_turn},
          {"request", costs.dispatch.request},
          {"array_read", costs.dispatch.array_read},
          {"table_lookup", costs.dispatch.table_lookup},
          {"insertion", costs.dispatch.insertion},
          {"check", costs.dispatch.check},
          {"slot_move", costs.dispatch.slot_move}};
}

std::string heading(const SimSteerOptions& options) {
  const sim::SteerLoad& load = options.load;
  std::string text = fmt::format(
      "Simulation: {} cores, {} flows ({}), service {} us exponential, {} ms at each rate, from an "
      "empty table\nCosts, ns (own):",
      load.cores, load.flows, load.popularity == sim::Popularity::zipf ? "Zipf" : "uniform",
      static_cast<double>(load.service.count()) / 1e3, load.step.count() / 1'000'000);
  for (const NamedCost& named : costs_of(options.costs)) {
    text += fmt::format(" {} {}", named.name, named.cost.count());
  }
  return text + "\n";
}

/// The paper's result where it has one (papers.md, P3): at 10 cores and 700,000 flows only.
constexpr std::string_view paper_note =
    "Paper (10 cores, 700,000 flows, 5,000 to 14,000 requests a second on hardware): flow-table's "
    "p99 is up to 10 %\nbelow modulo's from 8,000 on, and far above it at 5,000, while the table "
    "fills.\n";

std::string row_text(const SimSteerOptions& options, const Results& results, const ResultRow& row) {
  const auto figure = [&row](std::string_view name) {
    const auto found = std::ranges::find(row.estimates, name, &Estimate::name);
    return found == row.estimates.end() ? MeanInterval{} : found->mean;
  };
  const std::size_t policies = options.policies.size();
  return fmt::format(
      "{:>5.0f}% {:>9.0f}  {:<12} {:>9.1f} {:>24} {:>10.1f} {:>8.2f} {:>8.2f} {:>9.0f} {:>9.0f} "
      "{:>8.0f} {:>5}\n",
      options.load.loads[row.level / policies] * 100,
      std::get<double>(results.levels[row.level].labels.back().value),
      name_of(options.policies[row.level % policies]), figure("p50_us").mean,
      spread(figure("p99_us")), figure("p999_us").mean, figure("busiest_core").mean,
      figure("batch_work").mean, figure("moved").mean, figure("reordered").mean,
      figure("dropped").mean, results.count_of(row.level));
}

}  // namespace

std::string steer_table(const SimSteerOptions& options, const Results& results) {
  std::string text = heading(options);
  text +=
      fmt::format("\n{:>6} {:>9}  {:<12} {:>9} {:>24} {:>10} {:>8} {:>8} {:>9} {:>9} {:>8} {:>5}\n",
                  "load", "req/s", "policy", "p50, us", "p99, us", "p99.9, us", "busiest", "free",
                  "moved", "reordered", "dropped", "seeds");
  std::optional<std::size_t> load;
  for (const ResultRow& row : results.rows()) {
    const std::size_t its_load = row.level / options.policies.size();
    if (load && *load != its_load) text += '\n';
    load = its_load;
    text += row_text(options, results, row);
  }
  text +=
      "\nbusiest: share of its time that the fullest core serves; free: cores that other programs "
      "have, mean.\n";
  if (results.interrupted) text += "Interrupted: not all seeds are in it.\n";
  const std::vector<Ratio> ratios = ratios_of(options, results);
  if (!ratios.empty()) {
    text += fmt::format("\np99 of {} divided by that of others, seed by seed (95 % interval)\n",
                        ratios.front().policy);
  }
  for (const Ratio& ratio : ratios) {
    const auto [low, high] = range_of(ratio.p99);
    text += fmt::format("{:>5.0f}%  {:<12} {:.3f} ({:.3f}–{:.3f})\n", ratio.load * 100, ratio.to,
                        ratio.p99.mean, low, high);
  }
  if (options.load.flows == 700'000) text += "\n" + std::string{paper_note};
  return text;
}

ReportJson steer_json(const SimSteerOptions& options, const Results& results) {
  ReportJson costs = ReportJson::object();
  for (const NamedCost& named : costs_of(options.costs)) {
    costs[std::string{named.name}] = named.cost.count();
  }
  ReportJson ratios = ReportJson::array();
  for (const Ratio& ratio : ratios_of(options, results)) {
    const auto [low, high] = range_of(ratio.p99);
    ratios.push_back(
        {{"policy", ratio.policy},
         {"to", ratio.to},
         {"load", ratio.load},
         {"p99",
          {{"mean", rounded(ratio.p99.mean)}, {"low", rounded(low)}, {"high", rounded(high)}}}});
  }
  // The machine under test is a simulated one: this machine's load is not of interest.
  return {{"experiment", "steer"},
          {"machine", "simulation"},
          {"service_us", static_cast<double>(options.load.service.count()) / 1e3},
          {"popularity", options.load.popularity == sim::Popularity::zipf ? "zipf" : "uniform"},
          {"costs_ns", std::move(costs)},
          {"ratios", std::move(ratios)}};
}

}  // namespace tw::lab
