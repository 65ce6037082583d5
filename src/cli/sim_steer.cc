// thalweg sim steer: steering policies under the same load, in virtual time.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/report_output.h"
#include "lab/bed/interrupt.h"
#include "lab/report/progress.h"
#include "sim/steer/steer_experiment.h"

namespace tw::cli {
namespace {

constexpr std::array all_policies{sim::PolicyKind::indirection, sim::PolicyKind::modulo,
                                  sim::PolicyKind::flow_table, sim::PolicyKind::prefill,
                                  sim::PolicyKind::mixed};

struct SteerFlags {
  sim::SteerOptions options;
  std::vector<std::string> policies;
  std::string distribution = "uniform";
  double service_us = 10, step_ms = 200;
  bool quick = false, json = false;
  std::string csv;
};

int fail(const std::string& text) {
  std::fputs(fmt::format("thalweg sim steer: {}\n", text).c_str(), stderr);
  return exit_failed;
}

std::vector<std::string> policy_names() {
  std::vector<std::string> names;
  for (const sim::PolicyKind policy : all_policies) names.emplace_back(sim::name_of(policy));
  return names;
}

void read_options(SteerFlags& flags, const CLI::App& command) {
  sim::SteerOptions& options = flags.options;
  const auto to_duration = [](double us) { return Duration{static_cast<std::int64_t>(us * 1e3)}; };
  options.load.service = to_duration(flags.service_us);
  options.load.step = to_duration(flags.step_ms * 1e3);
  options.load.popularity =
      flags.distribution == "zipf" ? sim::Popularity::zipf : sim::Popularity::uniform;
  if (flags.quick) {
    if (command.count("--runs") == 0) options.runs = 3;
    if (command.count("--step") == 0) options.load.step = 50ms;
  }
  if (flags.policies.empty()) return;
  options.policies.clear();
  for (const sim::PolicyKind policy : all_policies) {
    if (std::ranges::find(flags.policies, sim::name_of(policy)) != flags.policies.end()) {
      options.policies.push_back(policy);
    }
  }
}

/// Shows how many runs are done, and the time that the others may take.
class RunProgress {
 public:
  void show(std::size_t done, std::size_t all) {
    if (done == 0) return progress_.show(fmt::format("{} runs to play", all));
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun_;
    const double left = spent.count() / static_cast<double>(done) * static_cast<double>(all - done);
    progress_.show(fmt::format("{} of {} runs; {:.0f} s left", done, all, left));
  }

 private:
  lab::Progress progress_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

int present(const SteerFlags& flags, const sim::SteerReport& report) {
  auto done = print_report(flags.json ? sim::to_json(report) : sim::to_table(report));
  if (done && !flags.csv.empty()) done = write_page(flags.csv, sim::to_csv(report), "rows");
  return done ? 0 : fail(done.error().text());
}

int run(SteerFlags& flags, const CLI::App& command) {
  read_options(flags, command);
  if (!flags.csv.empty() && !can_be_written(flags.csv)) {
    return fail("--csv: cannot write " + flags.csv + ": no such folder, or no permission");
  }
  auto interrupt = lab::Interrupt::watch();
  if (!interrupt) return fail(interrupt.error().text());
  sim::SteerReport report;
  {
    RunProgress progress;
    report = sim::run_steer_experiment(flags.options, [&](std::size_t done, std::size_t all) {
      progress.show(done, all);
      return !interrupt->fired();
    });
  }
  report.version = TW_VERSION;
  report.command = own_command();
  if (report.rows.empty()) {
    fail("interrupted before each policy had been played once");
    return exit_interrupted;
  }
  const int code = present(flags, report);
  return code == 0 && interrupt->fired() ? exit_interrupted : code;
}

}  // namespace

void add_sim_steer(CLI::App& sim, int& exit_code) {
  auto flags = std::make_shared<SteerFlags>();
  sim::SteerOptions& options = flags->options;
  CLI::App* command = sim.add_subcommand(
      "steer", "Steering policies under the same load, with cores granted and taken (paper P3)");
  command->add_option("--cores", options.load.cores, "Cores that may be granted (10)")
      ->check(CLI::Range(std::size_t{1}, CoreSet::most));
  command->add_option("--flows", options.load.flows, "Flows that requests are drawn from (700000)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10'000'000}));
  command->add_option("--distribution", flags->distribution, "Of flows: uniform, zipf (uniform)")
      ->check(CLI::IsMember({"uniform", "zipf"}));
  command
      ->add_option("--service", flags->service_us,
                   "us that a request takes, mean of an exponential distribution (10)")
      ->check(CLI::Range(0.1, 10'000.0));
  command
      ->add_option("--loads", options.load.loads,
                   "Shares of what all cores can serve, climbing (0.1,0.3,0.5,0.7,0.8,0.9)")
      ->delimiter(',')
      ->check(CLI::Range(0.001, 2.0));
  command->add_option("--step", flags->step_ms, "ms of virtual time at each load (200)")
      ->check(CLI::Range(1.0, 100'000.0));
  command
      ->add_option("--policies", flags->policies,
                   fmt::format("Only some of: {}", fmt::join(policy_names(), ",")))
      ->delimiter(',')
      ->check(CLI::IsMember(policy_names()));
  command->add_flag("--as-published", options.load.as_published,
                    "flow-table wraps to core 1, as the paper's listing does");
  command->add_option("--runs", options.runs, "Seeds of each policy (10)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10'000}));
  command->add_option("--seed", options.first_seed, "The first of them (1)");
  command->add_flag("--quick", flags->quick, "Three seeds, 50 ms at each load");
  command->add_flag("--json", flags->json, "JSON on stdout, nothing else");
  command->add_option("--csv", flags->csv, "Also write a row for each policy and load");
  command->callback([flags, command, &exit_code] { exit_code = run(*flags, *command); });
}

void add_sim(CLI::App& app, int& exit_code) {
  CLI::App* sim = app.add_subcommand(
      "sim", "The same scheduling code in virtual time: as many cores and flows as the papers had");
  sim->require_subcommand(1);
  add_sim_steer(*sim, exit_code);
}

}  // namespace tw::cli
