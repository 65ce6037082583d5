// Settings that are a file below /sys or /proc, one line each.
#pragma once

#include "host/settings/setting.h"

namespace tw::host {

class FileSetting final : public Setting {
 public:
  struct Shape {
    std::string_view name;
    bool of_device;
    std::string (*label)(const SettingKey&);
    std::string (*path)(const DevicePlace&, const SettingKey&);
    bool (*is_value)(std::string_view) noexcept;
    /// The line as one would write it; null: as it is read.
    std::string (*as_written)(std::string line) = nullptr;
  };
  constexpr explicit FileSetting(const Shape& shape) noexcept : shape_(shape) {}

  std::string_view name() const noexcept override { return shape_.name; }
  bool of_device() const noexcept override { return shape_.of_device; }
  std::string label(const SettingKey& key) const override { return shape_.label(key); }
  /// Empty if there is no such file or it cannot be read.
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  /// One write, as the kernel wants it.
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override { return shape_.is_value(value); }

 private:
  Shape shape_;
};

/// Every NAPI of a device, present and future, in a thread of its own.
extern const FileSetting device_threaded_setting;
/// Receive packet steering: CPUs that get a queue's packets from the one that has polled them.
extern const FileSetting rps_setting;
/// These are the machine's, whatever the network namespace.
extern const FileSetting irq_affinity_setting, governor_setting, idle_state_setting;

inline constexpr std::string_view cpu_folder = "/sys/devices/system/cpu";

bool is_number(std::string_view text) noexcept;  ///< of 1 to 19 figures

}  // namespace tw::host
