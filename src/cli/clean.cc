// thalweg clean: undoes what a node that was killed has left on this machine.
#include <fmt/core.h>

#include "cli/command.h"
#include "cli/leftovers.h"
#include "machine/journal.h"

namespace tw::cli {
namespace {

int clean() {
  const auto removed = remove_leftovers();
  if (!removed) {
    fmt::print(stderr, "thalweg clean: {}\n", removed.error().text());
    return exit_failed;
  }
  if (removed->empty()) fmt::print("nothing is left of any node that has died\n");
  for (const Leftovers& left : *removed) {
    for (const Change& change : left.changes) {
      fmt::print("{}: undone: {}\n", left.device, describe(change));
    }
  }
  return 0;
}

}  // namespace

void add_clean(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "clean", "Undo what a node that was killed has left on this machine; a start does it too");
  command->callback([&exit_code] { exit_code = clean(); });
}

void warn_of_leftovers() {
  for (const Leftovers& left : find_leftovers()) {
    fmt::print(stderr, "a node on {} has died and left", left.device);
    for (std::size_t i = 0; i < left.changes.size(); ++i) {
      fmt::print(stderr, "{} {}", i == 0 ? "" : ",", describe(left.changes[i]));
    }
    fmt::print(stderr, ": start it again, or undo that by 'thalweg clean'\n");
  }
}

}  // namespace tw::cli
