// thalweg host apply, status and revert: what is set, and the way back.
#include <fmt/core.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/host/host_commands.h"
#include "cli/host/host_options.h"
#include "host/state/apply.h"
#include "machine/journal.h"

namespace tw::cli {
namespace {

using Json = nlohmann::json;

struct StateOptions : HostOptions {
  std::string folder{run_directory};
  bool dry_run = false;
};

int fail(std::string_view command, const Error& error) {
  fmt::print(stderr, "thalweg host {}: {}\n", command, error.text());
  return exit_failed;
}

void print_json(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

host::Store store_of(const host::StateFile& file) {
  return [&file](const host::SavedState& state) { return file.store(state); };
}

host::SavedDevice saved_device(const PlannedDevice& device) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {.netns = device.target.space->cookie(),
          .index = device.facts.device.index,
          .name = device.facts.device.name,
          .where = device.target.space->where(),
          .uid = login_uid(),
          .seconds = static_cast<std::uint64_t>(
              std::chrono::duration_cast<std::chrono::seconds>(now).count())};
}

int show_dry_run(const StateOptions& options, const std::vector<PlannedDevice>& devices) {
  if (!options.json) {
    for (const PlannedDevice& device : devices) print(device);
    return 0;
  }
  Json json{{"dry_run", true}, {"devices", Json::array()}};
  for (const PlannedDevice& device : devices) json["devices"].push_back(to_json(device));
  print_json(json);
  return 0;
}

void show_done(const host::Done& done, bool json) {
  if (json) {
    print_json({{"changed", done.changed}, {"left_out", done.left_out}});
    return;
  }
  for (const std::string& change : done.changed) fmt::print("{}\n", change);
  for (const std::string& refused : done.left_out) fmt::print("left out: {}\n", refused);
  if (done.changed.empty()) fmt::print("nothing to do: all is in place\n");
}

int apply(const StateOptions& options) {
  // Planned under the lock, so that nobody of ours changes meanwhile what was read.
  std::optional<host::StateFile> file;
  host::SavedState state;
  if (!options.dry_run) {
    auto opened = host::StateFile::open(options.folder);
    if (!opened) return fail("apply", opened.error());
    file = std::move(*opened);
    auto loaded = file->load();
    if (!loaded) return fail("apply", loaded.error());
    state = std::move(*loaded);
  }
  const auto devices = plan_devices(options);
  if (!devices) return fail("apply", devices.error());
  std::vector<host::DevicePlan> plans;
  for (const PlannedDevice& device : *devices) {
    if (!device.plan.impossible.empty()) {
      return fail("apply", {.kind = Error::Kind::unavailable,
                            .detail = fmt::format("{}: {}; nothing is changed", device.plan.device,
                                                  device.plan.impossible)});
    }
    plans.push_back({saved_device(device), device.plan});
  }
  if (options.dry_run) return show_dry_run(options, *devices);
  const auto boot = host::boot_id();
  if (!boot) return fail("apply", boot.error());
  state.boot = *boot;
  host::KernelAccess access;
  const auto done = host::apply(plans, std::move(state), access, store_of(*file));
  if (!done) return fail("apply", done.error());
  show_done(*done, options.json);
  return 0;
}

std::string_view word_of(host::Standing::Is is) {
  switch (is) {
    case host::Standing::Is::in_place:
      return "in place";
    case host::Standing::Is::drifted:
      return "drifted";
    case host::Standing::Is::gone:
      return "gone";
  }
  return "";
}

Json standing_json(const host::Standing& standing) {
  const host::SavedSetting& saved = *standing.saved;
  const host::Setting& setting = host::setting_of(saved.key.kind);
  Json json{{"device", nullptr},
            {"setting", setting.name()},
            {"index", saved.key.index},
            {"sub", saved.key.sub},
            {"what", setting.label(saved.key)},
            {"before", nullptr},
            {"value", saved.value},
            {"now", nullptr},
            {"is", word_of(standing.is)},
            {"uid", nullptr},
            {"at", nullptr}};
  if (standing.device != nullptr) {
    json["device"] = standing.device->name;
    json["uid"] = standing.device->uid;
    json["at"] = standing.device->seconds;
  }
  if (saved.before) json["before"] = *saved.before;
  if (standing.now) json["now"] = *standing.now;
  return json;
}

void print_standing(const host::Standing& standing) {
  const host::SavedSetting& saved = *standing.saved;
  std::string state{word_of(standing.is)};
  if (standing.is == host::Standing::Is::drifted) {
    state += ", now " + standing.now.value_or("not there");
  }
  fmt::print("  {}: {} ({}; before: {})\n", host::setting_of(saved.key.kind).label(saved.key),
             saved.value, state, saved.before.value_or("not there"));
}

int status(const StateOptions& options) {
  const auto state = host::StateFile::peek(options.folder);
  if (!state) return fail("status", state.error());
  host::KernelAccess access;
  const auto all = host::standing_of(*state, access);
  if (!all) return fail("status", all.error());
  if (options.json) {
    Json json{{"settings", Json::array()}};
    for (const host::Standing& standing : *all) json["settings"].push_back(standing_json(standing));
    print_json(json);
    return 0;
  }
  if (all->empty()) fmt::print("nothing is set by thalweg host\n");
  const auto in_group = [&all](const host::SavedDevice* device, const std::string& heading) {
    bool headed = false;
    for (const host::Standing& standing : *all) {
      if (standing.device != device) continue;
      if (!headed) fmt::print("{}\n", heading);
      headed = true;
      print_standing(standing);
    }
  };
  for (const host::SavedDevice& device : state->devices) {
    in_group(&device, fmt::format("{}{}{}, applied by user {} at {} s of the epoch", device.name,
                                  device.where.empty() ? "" : " in ", device.where, device.uid,
                                  device.seconds));
  }
  in_group(nullptr, "the machine");
  return 0;
}

int show_reverted(const host::Reverted& reverted, bool json) {
  if (json) {
    print_json(
        {{"undone", reverted.undone}, {"gone", reverted.gone}, {"failures", reverted.failures}});
  } else {
    for (const std::string& change : reverted.undone) fmt::print("{}\n", change);
    for (const std::string& name : reverted.gone) {
      fmt::print("{}: is gone, and its settings with it\n", name);
    }
    if (reverted.undone.empty() && reverted.failures.empty()) fmt::print("nothing to put back\n");
  }
  for (const std::string& failure : reverted.failures) {
    fmt::print(stderr, "thalweg host revert: {}\n", failure);
  }
  return reverted.failures.empty() ? 0 : exit_failed;
}

int revert(const StateOptions& options) {
  if (options.dry_run) return status(options);
  const auto file = host::StateFile::open(options.folder);
  if (!file) return fail("revert", file.error());
  const auto state = file->load();
  if (!state) return fail("revert", state.error());
  host::KernelAccess access;
  const auto reverted = host::revert(*state, access, store_of(*file));
  if (!reverted) return fail("revert", reverted.error());
  return show_reverted(*reverted, options.json);
}

void add_folder(CLI::App& command, StateOptions& options) {
  command.add_option("--state-folder", options.folder, "Where what was before is written down")
      ->capture_default_str();
}

}  // namespace

std::uint32_t login_uid() {
  constexpr std::string_view nobody = "4294967295";
  const auto line = host::read_line("/proc/self/loginuid");
  if (!line || *line == nobody) return ::getuid();
  std::uint32_t uid = 0;
  std::from_chars(line->data(), line->data() + line->size(), uid);
  return uid;
}

void add_host_apply(CLI::App& host, int& exit_code) {
  auto options = std::make_shared<StateOptions>();
  CLI::App* command =
      host.add_subcommand("apply", "Set what `plan` says, all of it or nothing; can be taken back");
  add_host_options(*command, *options);
  add_folder(*command, *options);
  command->add_flag("--dry-run", options->dry_run, "Say what would be set, and change nothing");
  command->callback([options, &exit_code] { exit_code = apply(*options); });
}

void add_host_status(CLI::App& host, int& exit_code) {
  auto options = std::make_shared<StateOptions>();
  CLI::App* command = host.add_subcommand("status", "Show what is set, by whom, and what drifted");
  add_folder(*command, *options);
  command->add_flag("--json", options->json, "As one JSON object");
  command->callback([options, &exit_code] { exit_code = status(*options); });
}

void add_host_revert(CLI::App& host, int& exit_code) {
  auto options = std::make_shared<StateOptions>();
  CLI::App* command =
      host.add_subcommand("revert", "Put everything back as it was before the first `apply`");
  add_folder(*command, *options);
  command->add_flag("--json", options->json, "As one JSON object");
  command->add_flag("--dry-run", options->dry_run,
                    "Say what is set and was before; change nothing");
  command->callback([options, &exit_code] { exit_code = revert(*options); });
}

}  // namespace tw::cli
