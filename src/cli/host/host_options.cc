#include "cli/host/host_options.h"

#include <fmt/core.h>

#include <string>

#include "host/plan/read_facts.h"

namespace tw::cli {
namespace {

using Json = nlohmann::json;
using host::DeviceFacts;

std::string_view type_name(host::DeviceType type) {
  switch (type) {
    case host::DeviceType::nic:
      return "NIC";
    case host::DeviceType::veth:
      return "veth";
    case host::DeviceType::wireguard:
      return "WireGuard";
    case host::DeviceType::loopback:
      return "loopback";
    case host::DeviceType::bridge:
      return "bridge";
    case host::DeviceType::other:
      return "virtual";
  }
  return "";
}

void print_facts(const host::Facts& facts) {
  const DeviceFacts& device = facts.device;
  fmt::print(
      "{}{}{}: {}{}, {}; NAPIs: {}; receive queues: {}\n", device.name,
      device.where.empty() ? "" : " in ", device.where, type_name(device.type),
      device.driver.empty() || device.type != host::DeviceType::nic ? "" : " " + device.driver,
      device.up ? "up" : "down", device.napis.size(), device.receive_queues);
  if (device.peer) {
    fmt::print("  other end: {}{}{}\n", device.peer->name, device.peer->where.empty() ? "" : " in ",
               device.peer->where);
  }
}

}  // namespace

void add_host_options(CLI::App& command, HostOptions& options) {
  command.add_option("IFACE", options.targets.devices,
                     "Devices whose received packets matter; with --container none is needed");
  auto* where = command.add_option_group("where");
  where->add_option("--netns", options.targets.netns,
                    "The devices' network namespace: name or path");
  where->add_option("--pid", options.targets.pid, "The devices are where this process is")
      ->check(CLI::Range(1, 1 << 22));
  where->add_option("--container", options.targets.container,
                    "The devices are in this container (ip netns, docker, podman, machinectl); "
                    "without IFACE: its veths and their other ends");
  where->require_option(0, 1);
  command
      .add_option("--core", options.wishes.core,
                  "The CPU for all NAPI threads; else isolated CPUs, or all in turn")
      ->check(CLI::Range(0, 8191));
  command
      .add_option("--priority", options.wishes.priority,
                  "Real-time priority of the applications; NAPI threads get one less")
      ->check(CLI::Range(host::lowest_priority, host::highest_priority))
      ->capture_default_str();
  command.add_flag("--policed", options.wishes.policed,
                   "What arrives is limited already: NAPI threads get one more instead");
  command.add_flag("--busy-poll", options.wishes.busy_poll,
                   "NAPI threads that never sleep (Linux 6.19): a whole CPU each");
  command.add_flag("--json", options.json, "As one JSON object");
}

Result<std::vector<PlannedDevice>> plan_devices(const HostOptions& options) {
  const auto targets = host::find_targets(options.targets);
  if (!targets) return std::unexpected(targets.error());
  const host::MachineFacts machine = host::read_machine();
  std::vector<PlannedDevice> devices;
  for (const host::Target& target : *targets) {
    auto facts = host::read_facts(machine, *target.space, target.device);
    if (!facts) return std::unexpected(facts.error());
    host::Plan plan = host::make_plan(*facts, options.wishes);
    devices.push_back({target, std::move(*facts), std::move(plan)});
  }
  return devices;
}

Json to_json(const PlannedDevice& device) {
  const DeviceFacts& facts = device.facts.device;
  Json json{{"device", facts.name},
            {"index", facts.index},
            {"namespace", facts.where},
            {"type", type_name(facts.type)},
            {"driver", facts.driver},
            {"up", facts.up},
            {"receive_queues", facts.receive_queues},
            {"peer", nullptr},
            {"napis", Json::array()},
            {"values", Json::array()},
            {"changes", Json::array()},
            {"in_place", Json::array()},
            {"left_alone", Json::array()},
            {"warnings", device.plan.warnings},
            {"impossible", nullptr}};
  if (facts.peer) json["peer"] = {{"device", facts.peer->name}, {"namespace", facts.peer->where}};
  if (!device.plan.impossible.empty()) json["impossible"] = device.plan.impossible;
  for (const NapiState& napi : facts.napis) {
    json["napis"].push_back({{"id", napi.id}, {"irq", napi.irq}, {"thread", napi.thread_pid}});
  }
  for (const auto& [key, value] : device.facts.values) {
    const host::Setting& setting = host::setting_of(key.kind);
    json["values"].push_back(
        {{"setting", setting.name()}, {"index", key.index}, {"sub", key.sub}, {"value", value}});
  }
  for (const host::Wanted& wanted : device.plan.wanted) {
    const host::Setting& setting = host::setting_of(wanted.key.kind);
    Json change{{"setting", setting.name()},
                {"index", wanted.key.index},
                {"sub", wanted.key.sub},
                {"what", setting.label(wanted.key)},
                {"now", nullptr},
                {"value", wanted.value},
                {"why", wanted.why}};
    if (wanted.now) change["now"] = *wanted.now;
    json[wanted.changes() ? "changes" : "in_place"].push_back(std::move(change));
  }
  for (const host::LeftAlone& left : device.plan.left) {
    json["left_alone"].push_back({{"what", left.what}, {"now", left.now}, {"why", left.why}});
  }
  return json;
}

void print(const PlannedDevice& device) {
  print_facts(device.facts);
  const host::Plan& plan = device.plan;
  if (!plan.impossible.empty()) {
    fmt::print("  nothing can be done: {}\n", plan.impossible);
    return;
  }
  for (const bool changes : {true, false}) {
    bool headed = false;
    for (const host::Wanted& wanted : plan.wanted) {
      if (wanted.changes() != changes) continue;
      if (!headed) fmt::print("  {}\n", changes ? "would be changed" : "is in place");
      headed = true;
      fmt::print("    {}: {}{}{}\n", host::setting_of(wanted.key.kind).label(wanted.key),
                 changes ? wanted.now.value_or("not there yet") : wanted.value,
                 changes ? " -> " : "", changes ? wanted.value : "");
      fmt::print("        {}{}\n", wanted.why,
                 wanted.may_fail ? " (left out where the driver refuses it)" : "");
    }
  }
  if (!plan.left.empty()) fmt::print("  left alone\n");
  for (const host::LeftAlone& left : plan.left) {
    fmt::print("    {}{}{}\n        {}\n", left.what, left.now.empty() ? "" : ": ", left.now,
               left.why);
  }
  for (const std::string& warning : plan.warnings) fmt::print("  beware: {}\n", warning);
}

}  // namespace tw::cli
