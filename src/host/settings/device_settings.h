// Settings of a device and of its receive queues.
#pragma once

#include "host/settings/file_setting.h"

namespace tw::host {

/// Generic receive offload. A veth has NAPIs only while it is on.
class GroSetting final : public Setting {
 public:
  std::string_view name() const noexcept override { return "gro"; }
  std::string label(const SettingKey&) const override { return "GRO"; }
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override;
};

/// Moves every NAPI of a device, present and future, into a thread of its own.
class DeviceThreadedSetting final : public Setting {
 public:
  std::string_view name() const noexcept override { return "threaded"; }
  std::string label(const SettingKey&) const override { return "threaded, of all NAPIs"; }
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override { return is_number(value); }
};

/// Receive packet steering: CPUs that get a queue's packets from the one that has polled them.
class RpsSetting final : public Setting {
 public:
  std::string_view name() const noexcept override { return "rps"; }
  std::string label(const SettingKey& key) const override;
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override;
};

}  // namespace tw::host
