// Settings of interrupts and CPUs: the machine's, whatever the network namespace.
#pragma once

#include "host/settings/file_setting.h"

namespace tw::host {

class IrqAffinitySetting final : public Setting {
 public:
  std::string_view name() const noexcept override { return "irq_affinity"; }
  bool of_device() const noexcept override { return false; }
  std::string label(const SettingKey& key) const override;
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override;
};

class GovernorSetting final : public Setting {
 public:
  std::string_view name() const noexcept override { return "governor"; }
  bool of_device() const noexcept override { return false; }
  std::string label(const SettingKey& key) const override;
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override { return is_word(value); }
};

class IdleStateSetting final : public Setting {
 public:
  std::string_view name() const noexcept override { return "idle_state"; }
  bool of_device() const noexcept override { return false; }
  std::string label(const SettingKey& key) const override;
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override;
};

inline constexpr std::string_view cpu_folder = "/sys/devices/system/cpu";

}  // namespace tw::host
