#include "lab/contexts/sim_contexts_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

#include "lab/contexts/contexts_paper.h"

namespace tw::lab {
namespace {

std::string heading(const SimContextsOptions& options) {
  std::string text = fmt::format(
      "Simulation: {} cores, TCP of {} ms after as many that do not count (costs own: a fifth of "
      "that), 16 connections\nthat ask and answer beside it. No figure here was measured on such a "
      "machine.\n",
      options.cores, options.recorded.count() / 1'000'000);
  for (const sim::StageCosts& costs : options.costs) {
    text += fmt::format("Costs, ns ({}{}):", costs.name,
                        costs.scale == 1 ? "" : fmt::format(", stages times {}", costs.scale));
    for (const sim::NamedCost& named : named_costs(costs)) {
      text += fmt::format(" {} {}", named.name, named.cost.count());
    }
    text += '\n';
  }
  return text;
}

std::string section_heading(const ContextsLevel& level) {
  const bool receives = level.load.direction == sim::Direction::receive;
  return fmt::format(
      "\nCosts {}, {}, {:g} Mbps a client\n{:>8} {:<14} {:>6} {:>18} {:>6} {:>7} {:>7} {:>9} {:>9} "
      "{:>8} {:>7} {:>7} {:>7} {:>6} {:>8} {:>8} {:>9}\n",
      level.costs->name, receives ? "receive (clients send)" : "transmit (clients download)",
      level.load.rate_bps / 1e6, "clients", "context", "wanted", "Gbps", "paper", "CPU, %",
      "%/Gbps", "p50, us", "p99, us", "busiest", "median", "preempt", "a call", "empty", "open, us",
      "dlvr, us", "dropped");
}

std::string row_text(const ContextsLevel& level, const ResultRow& row) {
  const auto figure = [&row](std::string_view name) {
    const auto found = std::ranges::find(row.estimates, name, &Estimate::name);
    return found == row.estimates.end() ? MeanInterval{} : found->mean;
  };
  const MeanInterval gbps = figure("gbps");
  const std::string spread = gbps.interval ? fmt::format("{:.2f} ({:.2f}–{:.2f})", gbps.mean,
                                                         gbps.interval->low, gbps.interval->high)
                                           : fmt::format("{:.2f}", gbps.mean);
  std::string paper;
  for (const auto& [name, value] : paper_figures(level)) {
    if (name == "gbps") paper = fmt::format("{:.1f}", value);
  }
  const double calls = figure("deliver_calls").mean;
  return fmt::format(
      "{:>8} {:<14} {:>6.1f} {:>18} {:>6} {:>7.0f} {:>7.1f} {:>9.0f} {:>9.0f} {:>8.2f} {:>7.2f} "
      "{:>7.3f} {:>7.2f} {:>6.2f} {:>8.0f} {:>8.0f} {:>9.0f}\n",
      level.load.clients, name_of(level.load.context),
      static_cast<double>(level.load.clients) * level.load.rate_bps / 1e9, spread, paper,
      figure("cpu_percent").mean, figure("cpu_percent").mean / std::max(gbps.mean, 1e-9),
      figure("p50_us").mean, figure("p99_us").mean, figure("busiest_core").mean,
      figure("median_core").mean, figure("preempted_share").mean,
      figure("packets_per_deliver").mean, calls == 0 ? 0 : figure("deliver_empty").mean / calls,
      figure("open_wait_us").mean, figure("deliver_wait_us").mean, figure("dropped").mean);
}

/// Estimates over the seeds of one figure of the n-th busiest core.
ReportJson core_estimate(const ContextsLevel& level, std::size_t place,
                         double (*figure)(const sim::DeliverOnCore&)) {
  std::vector<double> values;
  for (const sim::ContextsFigures& played : level.played) {
    std::vector<const sim::DeliverOnCore*> cores;
    for (const sim::DeliverOnCore& core : played.cores) cores.push_back(&core);
    std::ranges::sort(cores, std::greater{}, &sim::DeliverOnCore::busy);
    values.push_back(figure(*cores[place]));
  }
  const MeanInterval mean = mean_interval(values);
  ReportJson json{{"mean", rounded(mean.mean)}};
  if (mean.interval) {
    json["low"] = rounded(mean.interval->low);
    json["high"] = rounded(mean.interval->high);
  }
  json["runs"] = values.size();
  return json;
}

ReportJson by_core_json(const ContextsLevel& level) {
  ReportJson cores = ReportJson::array();
  for (std::size_t place = 0; place < level.load.cores; ++place) {
    const auto estimate = [&](double (*figure)(const sim::DeliverOnCore&)) {
      return core_estimate(level, place, figure);
    };
    const auto packets_per_call = [](const sim::DeliverOnCore& core) {
      return core.calls == 0 ? 0
                             : static_cast<double>(core.packets) / static_cast<double>(core.calls);
    };
    cores.push_back(
        {{"core", place},
         {"busy", estimate([](const sim::DeliverOnCore& core) { return core.busy; })},
         {"calls",
          estimate([](const sim::DeliverOnCore& core) { return static_cast<double>(core.calls); })},
         {"empty",
          estimate([](const sim::DeliverOnCore& core) { return static_cast<double>(core.empty); })},
         {"packets_per_call", estimate(packets_per_call)}});
  }
  return cores;
}

/// Deliver calls by how many packets they had, all seeds and cores together.
ReportJson call_sizes_json(const ContextsLevel& level) {
  constexpr std::array<std::string_view, CallSizes::buckets> names{"0",   "1",    "2",     "3-4",
                                                                   "5-8", "9-16", "17-32", "33+"};
  ReportJson sizes = ReportJson::object();
  for (std::size_t bucket = 0; bucket < CallSizes::buckets; ++bucket) {
    std::uint64_t calls = 0;
    for (const sim::ContextsFigures& played : level.played) {
      for (const sim::DeliverOnCore& core : played.cores) calls += core.call_sizes[bucket];
    }
    sizes[std::string{names[bucket]}] = calls;
  }
  return sizes;
}

}  // namespace

std::string contexts_table(const SimContextsOptions& options,
                           const std::vector<ContextsLevel>& levels, const Results& results) {
  std::string text = heading(options);
  const ContextsLevel* before = nullptr;
  for (const ResultRow& row : results.rows()) {
    const ContextsLevel& level = levels[row.level];
    const bool begins = before == nullptr || before->costs != level.costs ||
                        before->load.direction != level.load.direction;
    if (begins) text += section_heading(level);
    if (!begins && before->load.clients != level.load.clients) text += '\n';
    text += row_text(level, row);
    before = &level;
  }
  text +=
      "\nCPU: of all cores together; busiest, median: shares of their time that cores are busy; "
      "preempt: packets opened during which, or\nafter which, a deliver call of higher priority "
      "came; a call: packets that a deliver call finds; empty: calls that find none;\nopen, dlvr: "
      "mean wait for these stages. Gbps: mean over seeds (95 % interval).\n";
  if (results.interrupted) text += "Interrupted: not all seeds are in it.\n";
  const std::vector<Shape> shapes = shapes_of(levels);
  if (!shapes.empty()) text += "\nShapes of the paper, with the most clients that were played\n";
  for (const Shape& shape : shapes) {
    text +=
        fmt::format("  {:<4} {}: {}\n", shape.came_out ? "yes" : "NO", shape.shape, shape.figures);
  }
  return text;
}

ReportJson contexts_json(const SimContextsOptions& options,
                         const std::vector<ContextsLevel>& levels, const Results& /*results*/) {
  ReportJson costs = ReportJson::object();
  for (const sim::StageCosts& set : options.costs) {
    ReportJson named = ReportJson::object();
    for (const sim::NamedCost& one : named_costs(set)) {
      named[std::string{one.name}] = one.cost.count();
    }
    named["scale"] = set.scale;
    costs[std::string{set.name}] = std::move(named);
  }
  ReportJson shapes = ReportJson::array();
  for (const Shape& shape : shapes_of(levels)) {
    shapes.push_back(
        {{"shape", shape.shape}, {"came_out", shape.came_out}, {"figures", shape.figures}});
  }
  // The machine under test is a simulated one: this machine's load is not of interest.
  return {{"experiment", "contexts"},
          {"machine", "simulation"},
          {"costs_ns", std::move(costs)},
          {"shapes", std::move(shapes)}};
}

std::map<std::size_t, ReportJson> contexts_row_members(const std::vector<ContextsLevel>& levels) {
  std::map<std::size_t, ReportJson> members;
  for (std::size_t level = 0; level < levels.size(); ++level) {
    if (levels[level].played.empty()) continue;
    ReportJson json{{"deliver_by_core", by_core_json(levels[level])},
                    {"deliver_call_sizes", call_sizes_json(levels[level])}};
    ReportJson paper = ReportJson::object();
    for (const auto& [name, value] : paper_figures(levels[level])) {
      paper[std::string{name}] = value;
    }
    if (!paper.empty()) json["paper"] = std::move(paper);
    members[level] = std::move(json);
  }
  return members;
}

}  // namespace tw::lab
