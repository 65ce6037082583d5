// Reads and writes settings of devices that were written down, wherever those are now.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "host/network_space.h"
#include "host/state/saved_state.h"

namespace tw::host {

/// `device` is null for settings of the machine.
class SettingAccess {
 public:
  virtual ~SettingAccess() = default;
  /// False if the device, or its network namespace, is gone: its settings went with it.
  virtual bool is_there(const SavedDevice& device) = 0;
  /// Empty if there is nothing that could have the setting.
  virtual Result<std::optional<std::string>> read(const SavedDevice* device,
                                                  const SettingKey& key) = 0;
  virtual Result<void> write(const SavedDevice* device, const SettingKey& key,
                             const std::string& value) = 0;
};

/// The kernel's. Enters the devices' namespaces and comes back.
class KernelAccess final : public SettingAccess {
 public:
  bool is_there(const SavedDevice& device) override;
  Result<std::optional<std::string>> read(const SavedDevice* device,
                                          const SettingKey& key) override;
  Result<void> write(const SavedDevice* device, const SettingKey& key,
                     const std::string& value) override;

 private:
  /// Null if it is gone.
  const NetworkSpace* space_of(const SavedDevice& device);
  std::map<std::uint64_t, std::unique_ptr<NetworkSpace>> spaces_;  // by cookie
};

}  // namespace tw::host
