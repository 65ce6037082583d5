// thalweg host run: starts an application where its packets arrive.
#include <fmt/core.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/host/host_commands.h"
#include "host/plan/plan.h"
#include "host/run/run_place.h"
#include "host/run/supervised_run.h"
#include "machine/journal.h"

namespace tw::cli {
namespace {

// As env, timeout and nohup: the command's own statuses stay apart from ours.
constexpr int exit_not_started = 125;

struct RunOptions {
  host::RunWishes wishes;
  std::string folder{run_directory};
  std::vector<std::string> command;
};

int run(const RunOptions& options) {
  const auto fail = [](const Error& error) {
    fmt::print(stderr, "thalweg host run: {}\n", error.text());
    return exit_not_started;
  };
  host::SavedState state;
  auto saved = host::StateFile::peek(options.folder);
  // A CPU that is named needs nothing of it.
  if (!saved && !options.wishes.core) return fail(saved.error());
  if (saved) state = std::move(*saved);
  const auto place = host::run_place(state, options.wishes);
  if (!place) return fail(place.error());
  const auto status = host::run_supervised(options.command, *place);
  return status ? *status : fail(status.error());
}

}  // namespace

void add_host_run(CLI::App& host, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = host.add_subcommand(
      "run", "Start an application where its packets arrive, above their threads");
  command
      ->add_option("--core", options->wishes.core,
                   "Its CPU; else those of the NAPI threads that `apply` has set")
      ->check(CLI::Range(0, 8191));
  command
      ->add_option("--priority", options->wishes.priority,
                   "Its real-time priority; else one more than those threads, or 20")
      ->check(CLI::Range(1, host::highest_priority));
  command->add_option("--iface", options->wishes.device,
                      "The device whose packets matter; else all");
  command->add_option("--state-folder", options->folder, "Where `apply` has written it down")
      ->capture_default_str();
  command->add_option("CMD", options->command, "The application and its arguments, behind --")
      ->required();
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace tw::cli
