#include "host/settings/gro_setting.h"

#include "machine/ethtool.h"

namespace tw::host {

Result<std::optional<std::string>> GroSetting::read(const DevicePlace& place,
                                                    const SettingKey&) const {
  const auto on = has_gro(place.name);
  if (!on) return std::nullopt;
  return *on ? "on" : "off";
}

Result<void> GroSetting::write(const DevicePlace& place, const SettingKey&,
                               const std::string& value) const {
  return set_gro(place.name, value == "on");
}

bool GroSetting::is_value(std::string_view value) const noexcept {
  return value == "on" || value == "off";
}

}  // namespace tw::host
