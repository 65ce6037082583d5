#include "cli/experiment.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "cli/cli_options.h"
#include "cli/command.h"
#include "cli/report_output.h"
#include "lab/runner.h"

namespace tw::cli {
namespace {

/// An experiment with what its command line says.
class Subcommand {
 public:
  Subcommand(CLI::App& command, std::shared_ptr<lab::Experiment> experiment)
      : experiment_(std::move(experiment)),
        repetition_(experiment_->repetition()),
        options_(command) {
    settings_.version = TW_VERSION;
    experiment_->options(options_);
    if (repetition_.repeats) add_repetition();
    options_.seed("--seed", settings_.seed, repetition_.seed_help);
    command.add_flag("--json", json_, "JSON on stdout, nothing else");
    command.add_option("--csv", csv_, "Also write every measurement to this file, a line each");
    command.add_option("--html", html_, "Also write a page with plots to this file");
  }

  int run() {
    settle_repetition();
    settings_.command = own_command();
    if (auto settled = experiment_->settle(options_, settings_); !settled) {
      say(settled.error().text());
      return exit_usage;
    }
    const auto done = experiment_->instead();
    if (!done) return fail(done.error().text());
    if (*done) return 0;
    for (const auto& [option, file] : {std::pair{"--csv", &csv_}, {"--html", &html_}}) {
      if (file->empty() || can_be_written(*file)) continue;
      return fail(
          fmt::format("{}: cannot write {}: no such folder, or no permission", option, *file));
    }
    return measure();
  }

 private:
  void add_repetition() {
    settings_.runs = repetition_.runs;
    settings_.warmups = repetition_.warmups;
    options_.count("--runs", settings_.runs, {1, 1000},
                   fmt::format("Counted measurements of each kind ({})", repetition_.runs));
    options_.count("--warmups", settings_.warmups, {0, 100},
                   fmt::format("Rounds before that do not count ({})", repetition_.warmups));
    options_.flag("--quick", settings_.quick, repetition_.quick_help);
  }

  void settle_repetition() {
    if (!settings_.quick) return;
    if (!options_.given("--runs")) settings_.runs = repetition_.quick_runs;
    if (!options_.given("--warmups")) settings_.warmups = repetition_.quick_warmups;
  }

  int measure() {
    auto interrupt = lab::Interrupt::watch();
    if (!interrupt) return fail(interrupt.error().text());
    try {
      lab::Progress progress;
      auto provenance = lab::Provenance::observe(*interrupt);
      provenance.options = options_.values();
      auto outcome =
          lab::run_experiment(*experiment_, settings_, std::move(provenance), *interrupt, progress);
      progress.clear();
      if (outcome) return present(*outcome);
      if (!interrupt->fired()) return fail(outcome.error().text());
    } catch (const std::exception& surprise) {
      // Everything that the experiment had made is gone by now: the exception stops here for that.
      return fail(surprise.what());
    }
    say("interrupted, without anything to report; everything it had made is removed");
    return exit_interrupted;
  }

  int present(const lab::RunReport& outcome) {
    auto done = print_report(json_ ? lab::dumped(outcome.json(), 2) + "\n" : outcome.table());
    if (done && !csv_.empty()) done = write_page(csv_, outcome.csv(), "measurements");
    if (done && !html_.empty()) done = write_page(html_, outcome.html(), "plots");
    if (!done) return fail(done.error().text());
    if (outcome.results.interrupted) return exit_interrupted;
    return outcome.findings.fault.empty() ? 0 : fail(outcome.findings.fault);
  }

  void say(const std::string& text) const {
    std::fputs(fmt::format("thalweg {}: {}\n", experiment_->name(), text).c_str(), stderr);
  }

  int fail(const std::string& text) const {
    say(text);
    return exit_failed;
  }

  std::shared_ptr<lab::Experiment> experiment_;
  lab::Repetition repetition_;
  lab::Settings settings_;
  CliOptions options_;
  bool json_ = false;
  std::string csv_, html_;
};

}  // namespace

void add_experiment(CLI::App& parent, std::shared_ptr<lab::Experiment> experiment, int& exit_code) {
  const std::string name = experiment->name();
  CLI::App* command = parent.add_subcommand(name.substr(name.rfind(' ') + 1), experiment->about());
  auto subcommand = std::make_shared<Subcommand>(*command, std::move(experiment));
  command->callback([subcommand, &exit_code] { exit_code = subcommand->run(); });
}

}  // namespace tw::cli
