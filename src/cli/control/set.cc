// thalweg set KEY VALUE: one setting of a running node, until its file is read again.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "cli/control/control_answer.h"
#include "cli/control/control_path.h"

namespace tw::cli {

void add_set(CLI::App& app, int& exit_code) {
  struct Options {
    ControlTarget target;
    std::string key, value;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "set", "Change a setting of a running node's relay, until its file is read again");
  command->add_option("KEY", options->key, "As in the file: relay.pool.low, relay.early_syn, …")
      ->required();
  command->add_option("VALUE", options->value, "As in the file; on and off for booleans")
      ->required();
  command->add_option("--interface", options->target.interface, "The node's, if several run here");
  command->add_option("--socket", options->target.socket, "The node's control socket");
  command->callback([options, &exit_code] {
    const nlohmann::json request{
        {"command", "set"}, {"key", options->key}, {"value", options->value}};
    exit_code = ask("set", options->target, request) ? 0 : exit_failed;
  });
}

}  // namespace tw::cli
