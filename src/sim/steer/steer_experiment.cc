#include "sim/steer/steer_experiment.h"

#include <span>
#include <utility>

namespace tw::sim {
namespace {

using Runs = std::vector<std::vector<SteerStep>>;  // by seed, then by rate

template <typename Figure>
MeanInterval over_seeds(const Runs& runs, std::size_t rate, Figure&& figure) {
  std::vector<double> values;
  values.reserve(runs.size());
  for (const auto& run : runs) values.push_back(static_cast<double>(figure(run[rate])));
  return mean_interval(values);
}

SteerRow row_of(PolicyKind policy, const Runs& runs, std::size_t rate) {
  const auto of = [&](auto member) {
    return over_seeds(runs, rate, [member](const SteerStep& step) { return step.*member; });
  };
  return {.policy = policy,
          .load = runs.front()[rate].load,
          .offered = runs.front()[rate].offered,
          .p50_us = of(&SteerStep::p50_us),
          .p99_us = of(&SteerStep::p99_us),
          .p999_us = of(&SteerStep::p999_us),
          .busiest_core = of(&SteerStep::busiest_core),
          .mean_core = of(&SteerStep::mean_core),
          .active_cores = of(&SteerStep::active_cores),
          .batch_work = of(&SteerStep::batch_work),
          .moved = of(&SteerStep::moved),
          .reordered = of(&SteerStep::reordered),
          .dropped = of(&SteerStep::dropped),
          .grants = of(&SteerStep::grants),
          .slots_moved = of(&SteerStep::slots_moved)};
}

MeanInterval ratio_of(const Runs& runs, const Runs& others, std::size_t rate) {
  std::vector<double> values;
  for (std::size_t seed = 0; seed < runs.size(); ++seed) {
    values.push_back(runs[seed][rate].p99_us / others[seed][rate].p99_us);
  }
  return mean_interval(values);
}

}  // namespace

SteerReport run_steer_experiment(const SteerOptions& options,
                                 const std::function<bool(std::size_t, std::size_t)>& progress) {
  SteerReport report{
      .options = options, .rows = {}, .ratios = {}, .runs = 0, .command = {}, .version = {}};
  std::vector<Runs> by_policy(options.policies.size());
  const std::size_t all = options.policies.size() * options.runs;
  std::size_t done = 0;
  bool goes_on = progress(done, all);
  // Seed by seed, so that whoever stops it has every policy as often.
  for (std::size_t run = 0; run < options.runs && goes_on; ++run) {
    std::vector<std::vector<SteerStep>> round;
    for (std::size_t n = 0; n < options.policies.size() && goes_on; ++n) {
      round.push_back(
          run_steer(options.policies[n], options.load, options.costs, options.first_seed + run));
      goes_on = progress(++done, all);
    }
    if (round.size() < options.policies.size()) break;
    for (std::size_t n = 0; n < round.size(); ++n) by_policy[n].push_back(std::move(round[n]));
  }
  if (by_policy.empty() || by_policy.front().empty()) return report;
  report.runs = by_policy.front().size();
  for (std::size_t rate = 0; rate < options.load.loads.size(); ++rate) {
    for (std::size_t n = 0; n < options.policies.size(); ++n) {
      report.rows.push_back(row_of(options.policies[n], by_policy[n], rate));
      if (n == 0) continue;
      report.ratios.push_back({.policy = options.policies.front(),
                               .to = options.policies[n],
                               .load = options.load.loads[rate],
                               .p99 = ratio_of(by_policy.front(), by_policy[n], rate)});
    }
  }
  return report;
}

}  // namespace tw::sim
