#include "host/settings/device_settings.h"

#include <fmt/format.h>

#include "machine/ethtool.h"

namespace tw::host {
namespace {

std::string folder_of(const DevicePlace& place) { return place.sysfs + "/class/net/" + place.name; }

std::string rps_path(const DevicePlace& place, const SettingKey& key) {
  return fmt::format("{}/queues/rx-{}/rps_cpus", folder_of(place), key.index);
}

}  // namespace

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

Result<std::optional<std::string>> DeviceThreadedSetting::read(const DevicePlace& place,
                                                               const SettingKey&) const {
  return read_setting_file(folder_of(place) + "/threaded");
}

Result<void> DeviceThreadedSetting::write(const DevicePlace& place, const SettingKey&,
                                          const std::string& value) const {
  return write_setting_file(folder_of(place) + "/threaded", value);
}

std::string RpsSetting::label(const SettingKey& key) const {
  return fmt::format("RPS of receive queue {}", key.index);
}

Result<std::optional<std::string>> RpsSetting::read(const DevicePlace& place,
                                                    const SettingKey& key) const {
  auto mask = read_setting_file(rps_path(place, key));
  // "00000000,00000000" is written as "0", and must be read as that.
  if (mask && *mask && (*mask)->find_first_not_of("0,") == std::string::npos) *mask = "0";
  return mask;
}

Result<void> RpsSetting::write(const DevicePlace& place, const SettingKey& key,
                               const std::string& value) const {
  return write_setting_file(rps_path(place, key), value);
}

bool RpsSetting::is_value(std::string_view value) const noexcept {
  constexpr std::size_t longest_mask = 8192 / 4 * 9 / 8;  // figures and commas of as many CPUs
  return !value.empty() && value.size() <= longest_mask &&
         value.find_first_not_of("0123456789abcdef,") == std::string_view::npos;
}

}  // namespace tw::host
