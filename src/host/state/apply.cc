#include "host/state/apply.h"

#include <fmt/format.h>

#include <algorithm>

namespace tw::host {
namespace {

const SavedDevice* device_of(const SavedState& state, const std::optional<std::uint32_t>& device) {
  return device ? &state.devices[*device] : nullptr;
}

std::string label_of(const SavedDevice* device, const SettingKey& key) {
  return fmt::format("{}{}{}", device == nullptr ? "" : device->name, device == nullptr ? "" : ": ",
                     setting_of(key.kind).label(key));
}

std::string change_text(const SavedDevice* device, const SettingKey& key,
                        const std::optional<std::string>& before, const std::string& value) {
  return fmt::format("{}: {} -> {}", label_of(device, key), before.value_or("not there"), value);
}

/// One call of apply().
class Application {
 public:
  Application(SavedState state, SettingAccess& access, const Store& store)
      : old_(state), next_(std::move(state)), access_(access), store_(store) {}

  void add(const DevicePlan& device_plan);
  Result<Done> run();

 private:
  struct Step {
    std::optional<std::uint32_t> device;
    SettingKey key;
    std::string value;
    bool may_fail = false;
    std::optional<std::string> prior{};  // as it is when the step is made
  };

  std::uint32_t number_of(const SavedDevice& device);
  Result<void> make(Step& step);
  Result<Done> roll_back(const Error& failure);

  SavedState old_, next_;
  SettingAccess& access_;
  const Store& store_;
  std::vector<Step> steps_;
  std::vector<Step> made_;
  Done done_;
};

std::uint32_t Application::number_of(const SavedDevice& device) {
  const auto found = std::ranges::find_if(
      next_.devices, [&device](const SavedDevice& known) { return known.is(device); });
  const auto number = static_cast<std::uint32_t>(found - next_.devices.begin());
  if (found == next_.devices.end()) {
    next_.devices.push_back(device);
  } else {
    *found = device;
  }
  return number;
}

void Application::add(const DevicePlan& device_plan) {
  const std::uint32_t number = number_of(device_plan.device);
  for (const Wanted& wanted : device_plan.plan.wanted) {
    const std::optional<std::uint32_t> owner =
        setting_of(wanted.key.kind).of_device() ? std::optional{number} : std::nullopt;
    const auto known = std::ranges::find_if(next_.settings, [&](const SavedSetting& saved) {
      return saved.device == owner && saved.key == wanted.key;
    });
    if (known != next_.settings.end()) {
      known->value = wanted.value;
    } else if (wanted.changes()) {
      next_.settings.push_back({wanted.key, owner, wanted.now, wanted.value});
    }
    if (wanted.changes()) steps_.push_back({owner, wanted.key, wanted.value, wanted.may_fail});
  }
}

Result<void> Application::make(Step& step) {
  const SavedDevice* device = device_of(next_, step.device);
  auto now = access_.read(device, step.key);
  if (!now) return std::unexpected(now.error());
  step.prior = std::move(*now);
  if (step.prior == step.value) return {};
  made_.push_back(step);  // first: a write that fails may have changed half of it
  auto written = access_.write(device, step.key, step.value);
  if (written) done_.changed.push_back(change_text(device, step.key, step.prior, step.value));
  return written;
}

Result<Done> Application::roll_back(const Error& failure) {
  std::string more;
  for (auto step = made_.rbegin(); step != made_.rend(); ++step) {
    if (!step->prior) continue;  // it came by a setting before it, and goes with it
    const SavedDevice* device = device_of(next_, step->device);
    const auto now = access_.read(device, step->key);
    if (now && *now == step->prior) continue;
    const auto written = access_.write(device, step->key, *step->prior);
    if (!written && more.empty()) more = written.error().text();
  }
  if (more.empty()) {
    const auto stored = store_(old_);
    if (stored) return in_context("nothing is changed", failure);
    more = stored.error().text();
  }
  return in_context("some settings could not be put back (" + more +
                        "), they stay written down for `thalweg host revert`",
                    failure);
}

Result<Done> Application::run() {
  if (steps_.empty() && next_.settings == old_.settings) return done_;
  if (auto stored = store_(next_); !stored) return std::unexpected(stored.error());
  for (Step& step : steps_) {
    auto made = make(step);
    if (made) continue;
    if (!step.may_fail) return roll_back(made.error());
    done_.left_out.push_back(made.error().text());
    const auto now = access_.read(device_of(next_, step.device), step.key);
    if (!now || *now != step.prior) continue;
    std::erase_if(next_.settings, [&step](const SavedSetting& saved) {
      return saved.device == step.device && saved.key == step.key;
    });
  }
  if (auto stored = store_(next_); !stored) return roll_back(stored.error());
  return done_;
}

}  // namespace

Result<Done> apply(const std::vector<DevicePlan>& plans, SavedState state, SettingAccess& access,
                   const Store& store) {
  Application application{std::move(state), access, store};
  for (const DevicePlan& plan : plans) application.add(plan);
  return application.run();
}

Result<std::vector<Standing>> standing_of(const SavedState& state, SettingAccess& access) {
  std::vector<Standing> all;
  for (const SavedSetting& saved : state.settings) {
    Standing standing{.saved = &saved, .device = device_of(state, saved.device)};
    if (standing.device != nullptr && !access.is_there(*standing.device)) {
      standing.is = Standing::Is::gone;
    } else {
      auto now = access.read(standing.device, saved.key);
      if (!now) return std::unexpected(now.error());
      standing.now = std::move(*now);
      if (standing.now != saved.value) standing.is = Standing::Is::drifted;
    }
    all.push_back(std::move(standing));
  }
  return all;
}

namespace {

/// Returns true if the setting is as it was, or went with what had it.
bool put_back(const SavedSetting& saved, const SavedDevice* device, SettingAccess& access,
              Reverted& reverted) {
  if (!saved.before) return true;  // it came by a setting before it, and goes with it
  const std::string label = label_of(device, saved.key);
  const auto now = access.read(device, saved.key);
  if (!now) {
    reverted.failures.push_back(now.error().text());
    return false;
  }
  if (*now == saved.before) return true;
  if (!*now) {
    reverted.failures.push_back(label + " cannot be reached: set the device up, and revert again");
    return false;
  }
  if (const auto written = access.write(device, saved.key, *saved.before); !written) {
    reverted.failures.push_back(written.error().text());
    return false;
  }
  reverted.undone.push_back(change_text(device, saved.key, *now, *saved.before));
  return true;
}

}  // namespace

Result<Reverted> revert(const SavedState& state, SettingAccess& access, const Store& store) {
  Reverted reverted;
  for (const SavedDevice& device : state.devices) {
    if (!access.is_there(device)) reverted.gone.push_back(device.name);
  }
  SavedState left = state;
  left.settings.clear();
  for (auto saved = state.settings.rbegin(); saved != state.settings.rend(); ++saved) {
    const SavedDevice* device = device_of(state, saved->device);
    if (device != nullptr && !access.is_there(*device)) continue;
    if (!put_back(*saved, device, access, reverted))
      left.settings.insert(left.settings.begin(), *saved);
  }
  if (auto stored = store(left); !stored) return std::unexpected(stored.error());
  return reverted;
}

}  // namespace tw::host
