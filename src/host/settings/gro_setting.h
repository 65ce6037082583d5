// Generic receive offload of a device.
#pragma once

#include "host/settings/setting.h"

namespace tw::host {

/// A veth has NAPIs only while it is on.
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

}  // namespace tw::host
