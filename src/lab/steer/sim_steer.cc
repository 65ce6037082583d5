#include "lab/steer/sim_steer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "lab/steer/sim_steer_report.h"

namespace tw::lab {
namespace {

Figures figures_of(const sim::SteerStep& step) {
  const auto number = [](std::uint64_t count) { return static_cast<double>(count); };
  return {{"p50_us", step.p50_us},
          {"p99_us", step.p99_us},
          {"p999_us", step.p999_us},
          {"busiest_core", step.busiest_core},
          {"mean_core", step.mean_core},
          {"active_cores", step.active_cores},
          {"batch_work", step.batch_work},
          {"moved", number(step.moved)},
          {"reordered", number(step.reordered)},
          {"dropped", number(step.dropped)},
          {"grants", number(step.grants)},
          {"slots_moved", number(step.slots_moved)}};
}

class SimSteerRounds final : public Rounds {
 public:
  explicit SimSteerRounds(const SimSteerOptions& options) : options_(options) {}

  Plan plan() override {
    const sim::SteerLoad& of = options_.load;
    const double capacity =
        static_cast<double>(of.cores) * 1e9 / static_cast<double>(of.service.count());
    Plan plan{.levels = {}, .simulated = true};
    for (const double load : of.loads) {
      for (const sim::PolicyKind policy : options_.policies) {
        const std::string name{name_of(policy)};
        plan.levels.push_back({.title = fmt::format("{} at {:.0f} %", name, load * 100),
                               .labels = {{"policy", name},
                                          {"costs", std::string{"own"}},
                                          {"flows", std::uint64_t{of.flows}},
                                          {"cores", std::uint64_t{of.cores}},
                                          {"load", load},
                                          {"offered", load * capacity}}});
      }
    }
    return plan;
  }

  // A load is played after the lower ones, by the tables that they have left: the first level of a
  // policy in a round plays all of them, and the others find their figures here.
  Result<Measured> measure(std::size_t level, const Round& round, Run& run) override {
    if (round.number != number_) played_.clear();
    number_ = round.number;
    const std::size_t policy = level % options_.policies.size();
    auto found = played_.find(policy);
    if (found == played_.end()) {
      auto steps = sim::run_steer(options_.policies[policy], options_.load, options_.costs,
                                  run.settings.seed + round.number);
      found = played_.emplace(policy, std::move(steps)).first;
    }
    return Measured{.figures = figures_of(found->second.at(level / options_.policies.size()))};
  }

 private:
  const SimSteerOptions& options_;
  std::uint32_t number_ = 0;
  std::map<std::size_t, std::vector<sim::SteerStep>> played_;  // by policy, in the present round
};

std::vector<std::string> policy_names() {
  std::vector<std::string> names;
  for (const sim::PolicyKind policy : SimSteerOptions{}.policies) {
    names.emplace_back(name_of(policy));
  }
  return names;
}

}  // namespace

void SimSteerExperiment::options(OptionSet& set) {
  sim::SteerLoad& load = options_.load;
  set.count("--cores", texts_.cores, {1, CoreSet::most}, "Cores that may be granted (10)");
  set.count("--flows", texts_.flows, {1, 10'000'000},
            "Flows that requests are drawn from (700000)");
  set.choice("--distribution", texts_.distribution, {"uniform", "zipf"},
             "Of flows: uniform, zipf (uniform)");
  set.number("--service", texts_.service_us, {0.1, 10'000},
             "us that a request takes, mean of an exponential distribution (10)");
  set.numbers("--loads", load.loads, {0.001, 2}, 0,
              "Shares of what all cores can serve, climbing (0.1,0.3,0.5,0.7,0.8,0.9)");
  set.number("--step", texts_.step_ms, {1, 100'000}, "ms of virtual time at each load (200)");
  set.choices("--policies", texts_.policies, policy_names(),
              fmt::format("Only some of: {}", fmt::join(policy_names(), ",")));
  set.flag("--as-published", load.as_published,
           "flow-table wraps to core 1, as the paper's listing does");
}

Result<void> SimSteerExperiment::settle(const OptionSet& set, const Settings& settings) {
  const auto to_duration = [](double us) { return Duration{static_cast<std::int64_t>(us * 1e3)}; };
  if (settings.quick && !set.given("--step")) texts_.step_ms = 50;
  sim::SteerLoad& load = options_.load;
  load.cores = texts_.cores;
  load.flows = texts_.flows;
  load.service = to_duration(texts_.service_us);
  load.step = to_duration(texts_.step_ms * 1e3);
  load.popularity =
      texts_.distribution == "zipf" ? sim::Popularity::zipf : sim::Popularity::uniform;
  if (!texts_.policies.empty()) {
    std::erase_if(options_.policies, [&](sim::PolicyKind policy) {
      return std::ranges::find(texts_.policies, name_of(policy)) == texts_.policies.end();
    });
  }
  return {};
}

Result<std::unique_ptr<Rounds>> SimSteerExperiment::prepare(Run& /*run*/) {
  return std::make_unique<SimSteerRounds>(options_);
}

Findings SimSteerExperiment::report(const Results& results) {
  return {.table = steer_table(options_, results), .json = steer_json(options_, results)};
}

}  // namespace tw::lab
