#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sim/steer/steer_experiment.h"

namespace tw::sim {
namespace {

using Json = nlohmann::ordered_json;

/// The interval, or the value of the only run.
Interval range_of(const MeanInterval& figure) {
  return figure.interval.value_or(Interval{figure.mean, figure.mean});
}

Json to_value(const MeanInterval& figure, std::size_t runs) {
  const auto [low, high] = range_of(figure);
  return {{"mean", figure.mean}, {"low", low}, {"high", high}, {"runs", runs}};
}

std::string spread(const MeanInterval& figure) {
  if (!figure.interval) return fmt::format("{:.1f}", figure.mean);
  return fmt::format("{:.1f} ({:.1f}–{:.1f})", figure.mean, figure.interval->low,
                     figure.interval->high);
}

std::string title(const SteerOptions& options) {
  const SteerLoad& load = options.load;
  return fmt::format(
      "Simulation: {} cores, {} flows ({}), service {} us exponential, {} seeds from {}, {} ms at "
      "each rate, from an empty table\n",
      load.cores, load.flows, load.popularity == Popularity::zipf ? "Zipf" : "uniform",
      static_cast<double>(load.service.count()) / 1e3, options.runs, options.first_seed,
      load.step.count() / 1'000'000);
}

struct NamedCost {
  std::string_view name;
  Duration cost;
};

std::vector<NamedCost> costs_of(const SteerCosts& costs) {
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

std::string costs_line(const SteerCosts& costs) {
  std::string text = "Costs, ns (own):";
  for (const NamedCost& named : costs_of(costs)) {
    text += fmt::format(" {} {}", named.name, named.cost.count());
  }
  return text + "\n";
}

Json costs_json(const SteerCosts& costs) {
  Json json = Json::object();
  for (const NamedCost& named : costs_of(costs)) json[std::string{named.name}] = named.cost.count();
  return json;
}

/// The paper's result where it has one (papers.md, P3): at 10 cores and 700,000 flows only.
constexpr std::string_view paper_note =
    "Paper (10 cores, 700,000 flows, 5,000 to 14,000 requests a second on hardware): flow-table's "
    "p99 "
    "is up to 10 %\nbelow modulo's from 8,000 on, and far above it at 5,000, while the table "
    "fills.\n";

}  // namespace

std::string to_table(const SteerReport& report) {
  std::string text = title(report.options) + costs_line(report.options.costs);
  text += fmt::format("\n{:>6} {:>9}  {:<12} {:>9} {:>24} {:>10} {:>8} {:>8} {:>9} {:>9} {:>8}\n",
                      "load", "req/s", "policy", "p50, us", "p99, us", "p99.9, us", "busiest",
                      "free", "moved", "reordered", "dropped");
  double load = -1;
  for (const SteerRow& row : report.rows) {
    if (load >= 0 && row.load != load) text += '\n';
    load = row.load;
    text += fmt::format(
        "{:>5.0f}% {:>9.0f}  {:<12} {:>9.1f} {:>24} {:>10.1f} {:>8.2f} {:>8.2f} {:>9.0f} {:>9.0f} "
        "{:>8.0f}\n",
        row.load * 100, row.offered, name_of(row.policy), row.p50_us.mean, spread(row.p99_us),
        row.p999_us.mean, row.busiest_core.mean, row.batch_work.mean, row.moved.mean,
        row.reordered.mean, row.dropped.mean);
  }
  text +=
      "\nbusiest: share of its time that the fullest core serves; free: cores that other programs "
      "have, mean.\n";
  if (!report.ratios.empty()) {
    text += fmt::format("\np99 of {} divided by that of others, seed by seed (95 % interval)\n",
                        name_of(report.ratios.front().policy));
    for (const SteerRatio& ratio : report.ratios) {
      text += fmt::format("{:>5.0f}%  {:<12} {:.3f} ({:.3f}–{:.3f})\n", ratio.load * 100,
                          name_of(ratio.to), ratio.p99.mean, range_of(ratio.p99).low,
                          range_of(ratio.p99).high);
    }
  }
  if (report.options.load.flows == 700'000) text += "\n" + std::string{paper_note};
  return text;
}

std::string to_json(const SteerReport& report) {
  const SteerOptions& options = report.options;
  const auto value = [&](const MeanInterval& figure) { return to_value(figure, report.runs); };
  Json json{{"experiment", "steer"},
            {"machine", "simulation"},
            {"command", report.command},
            {"version", report.version},
            {"seed", options.first_seed},
            {"runs", options.runs},
            {"service_us", static_cast<double>(options.load.service.count()) / 1e3},
            {"popularity", options.load.popularity == Popularity::zipf ? "zipf" : "uniform"},
            {"costs_ns", costs_json(options.costs)},
            {"rows", Json::array()},
            {"ratios", Json::array()}};
  for (const SteerRow& row : report.rows) {
    json["rows"].push_back({{"policy", name_of(row.policy)},
                            {"costs", "own"},
                            {"flows", options.load.flows},
                            {"cores", options.load.cores},
                            {"load", row.load},
                            {"offered", row.offered},
                            {"p50_us", value(row.p50_us)},
                            {"p99_us", value(row.p99_us)},
                            {"p999_us", value(row.p999_us)},
                            {"busiest_core", value(row.busiest_core)},
                            {"mean_core", value(row.mean_core)},
                            {"active_cores", value(row.active_cores)},
                            {"batch_work", value(row.batch_work)},
                            {"moved", value(row.moved)},
                            {"reordered", value(row.reordered)},
                            {"dropped", value(row.dropped)},
                            {"grants", value(row.grants)},
                            {"slots_moved", value(row.slots_moved)}});
  }
  for (const SteerRatio& ratio : report.ratios) {
    json["ratios"].push_back({{"policy", name_of(ratio.policy)},
                              {"to", name_of(ratio.to)},
                              {"load", ratio.load},
                              {"p99", value(ratio.p99)}});
  }
  return json.dump(2) + "\n";
}

std::string to_csv(const SteerReport& report) {
  std::string text =
      "policy,load,offered,p50_us,p99_us,p99_low,p99_high,p999_us,busiest_core,mean_core,batch_"
      "work,"
      "moved,reordered,dropped,runs\n";
  for (const SteerRow& row : report.rows) {
    text += fmt::format(
        "{},{},{:.0f},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.4f},{:.4f},{:.3f},{:.1f},"
        "{:.1f},{:.1f},{}\n",
        name_of(row.policy), row.load, row.offered, row.p50_us.mean, row.p99_us.mean,
        range_of(row.p99_us).low, range_of(row.p99_us).high, row.p999_us.mean,
        row.busiest_core.mean, row.mean_core.mean, row.batch_work.mean, row.moved.mean,
        row.reordered.mean, row.dropped.mean, report.runs);
  }
  return text;
}

}  // namespace tw::sim
