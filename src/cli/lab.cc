// thalweg lab, sim and demo: the lab's experiments as subcommands.
#include <array>
#include <string>
#include <string_view>

#include "cli/command.h"
#include "cli/experiment.h"
#include "lab/experiments.h"

namespace tw::cli {

namespace {

struct Group {
  std::string_view name, about;
};
constexpr std::array groups{
    Group{"lab", "Instruments: load on a WireGuard device, downloads over a long way"},
    Group{"sim",
          "The same scheduling code in virtual time: as many cores and flows as the papers had"}};

/// Returns the command that an experiment stands below: `app`, or that of its group.
CLI::App& parent_of(const std::string& name, CLI::App& app) {
  for (const Group& group : groups) {
    if (!name.starts_with(std::string{group.name} + " ")) continue;
    const auto made_already = app.get_subcommands(
        [&](const CLI::App* command) { return command->get_name() == group.name; });
    if (!made_already.empty()) return *made_already.front();
    CLI::App* made = app.add_subcommand(std::string{group.name}, std::string{group.about});
    made->require_subcommand(1);
    return *made;
  }
  return app;
}

}  // namespace

void add_lab(CLI::App& app, int& exit_code) {
  for (const std::shared_ptr<lab::Experiment>& experiment : lab::all_experiments()) {
    add_experiment(parent_of(experiment->name(), app), experiment, exit_code);
  }
}

}  // namespace tw::cli
