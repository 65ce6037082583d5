#include "host/settings/machine_settings.h"

#include <fmt/format.h>

#include "host/cpu_list.h"

namespace tw::host {
namespace {

std::string irq_path(const SettingKey& key) {
  return fmt::format("/proc/irq/{}/smp_affinity_list", key.index);
}
std::string governor_path(const SettingKey& key) {
  return fmt::format("{}/cpu{}/cpufreq/scaling_governor", cpu_folder, key.index);
}
std::string idle_path(const SettingKey& key) {
  return fmt::format("{}/cpu{}/cpuidle/state{}/disable", cpu_folder, key.index, key.sub);
}

}  // namespace

std::string IrqAffinitySetting::label(const SettingKey& key) const {
  return fmt::format("CPUs of interrupt {}", key.index);
}
Result<std::optional<std::string>> IrqAffinitySetting::read(const DevicePlace&,
                                                            const SettingKey& key) const {
  return read_setting_file(irq_path(key));
}
Result<void> IrqAffinitySetting::write(const DevicePlace&, const SettingKey& key,
                                       const std::string& value) const {
  return write_setting_file(irq_path(key), value);
}
bool IrqAffinitySetting::is_value(std::string_view value) const noexcept {
  const auto cpus = cpus_of(value);
  return cpus && !cpus->empty();
}

std::string GovernorSetting::label(const SettingKey& key) const {
  return fmt::format("frequency governor of CPU {}", key.index);
}
Result<std::optional<std::string>> GovernorSetting::read(const DevicePlace&,
                                                         const SettingKey& key) const {
  return read_setting_file(governor_path(key));
}
Result<void> GovernorSetting::write(const DevicePlace&, const SettingKey& key,
                                    const std::string& value) const {
  return write_setting_file(governor_path(key), value);
}

std::string IdleStateSetting::label(const SettingKey& key) const {
  return fmt::format("idle state {} of CPU {} disabled", key.sub, key.index);
}
Result<std::optional<std::string>> IdleStateSetting::read(const DevicePlace&,
                                                          const SettingKey& key) const {
  return read_setting_file(idle_path(key));
}
Result<void> IdleStateSetting::write(const DevicePlace&, const SettingKey& key,
                                     const std::string& value) const {
  return write_setting_file(idle_path(key), value);
}
bool IdleStateSetting::is_value(std::string_view value) const noexcept {
  return value == "0" || value == "1";
}

}  // namespace tw::host
