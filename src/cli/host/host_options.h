// The options and the output that the subcommands of `thalweg host` share.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/result.h"
#include "host/plan/plan.h"
#include "host/targets.h"

namespace tw::cli {

struct HostOptions {
  host::TargetNames targets;
  host::Wishes wishes;
  bool json = false;
};

void add_host_options(CLI::App& command, HostOptions& options);

/// A device with its facts and what is planned for it.
struct PlannedDevice {
  host::Target target;
  host::Facts facts;
  host::Plan plan;
};

/// Reads the machine and plans every device that is meant.
Result<std::vector<PlannedDevice>> plan_devices(const HostOptions& options);

nlohmann::json to_json(const PlannedDevice& device);
void print(const PlannedDevice& device);

}  // namespace tw::cli
