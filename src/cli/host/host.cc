// thalweg host: prepares the stock kernel for applications that stay as they are.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/host/host_commands.h"
#include "cli/host/host_options.h"
#include "host/plan/read_facts.h"

namespace tw::cli {
namespace {

using Json = nlohmann::json;

int plan(const HostOptions& options) {
  const auto devices = plan_devices(options);
  if (!devices) {
    fmt::print(stderr, "thalweg host plan: {}\n", devices.error().text());
    return exit_failed;
  }
  const bool possible = std::ranges::all_of(
      *devices, [](const PlannedDevice& device) { return device.plan.impossible.empty(); });
  if (options.json) {
    const host::MachineFacts machine = host::read_machine();
    Json json{{"kernel", machine.release},
              {"cpus", machine.online},
              {"isolated", machine.isolated},
              {"devices", Json::array()}};
    for (const PlannedDevice& device : *devices) json["devices"].push_back(to_json(device));
    fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("Linux {}\n", host::read_machine().release);
    for (const PlannedDevice& device : *devices) print(device);
  }
  return possible ? 0 : exit_failed;
}

void add_plan(CLI::App& host, int& exit_code) {
  auto options = std::make_shared<HostOptions>();
  CLI::App* command = host.add_subcommand(
      "plan", "Say what would be changed and why, and what is left alone; changes nothing");
  add_host_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = plan(*options); });
}

}  // namespace

void add_host(CLI::App& app, int& exit_code) {
  CLI::App* host = app.add_subcommand(
      "host", "Microsecond tails for unmodified applications: NAPI threads, priorities, CPUs");
  host->require_subcommand(1);
  add_plan(*host, exit_code);
  add_host_apply(*host, exit_code);
  add_host_status(*host, exit_code);
  add_host_revert(*host, exit_code);
  add_host_run(*host, exit_code);
}

}  // namespace tw::cli
