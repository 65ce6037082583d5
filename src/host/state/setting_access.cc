#include "host/state/setting_access.h"

namespace tw::host {
namespace {

/// Calls `work` with the place of the device, in its namespace.
template <typename Answer, typename Work>
Answer at_device(const NetworkSpace* space, const SavedDevice& device, const Work& work) {
  const auto gone = [&device] {
    return make_error(Error::Kind::unavailable, "device " + device.name + " is gone");
  };
  if (space == nullptr) return gone();
  const auto inside = space->enter();
  if (!inside) return std::unexpected(inside.error());
  const std::string name = device_name(device.index);
  if (name.empty()) return gone();
  auto netlink = NapiNetlink::open();
  return work(DevicePlace{name, device.index, space->sysfs(), netlink ? &*netlink : nullptr});
}

}  // namespace

const NetworkSpace* KernelAccess::space_of(const SavedDevice& device) {
  const auto known = spaces_.find(device.netns);
  if (known != spaces_.end()) return known->second.get();
  auto found = NetworkSpace::find(device.netns, device.where);
  auto space = found ? std::make_unique<NetworkSpace>(std::move(*found)) : nullptr;
  return spaces_.emplace(device.netns, std::move(space)).first->second.get();
}

bool KernelAccess::is_there(const SavedDevice& device) {
  const NetworkSpace* space = space_of(device);
  if (space == nullptr) return false;
  const auto inside = space->enter();
  return inside && !device_name(device.index).empty();
}

Result<std::optional<std::string>> KernelAccess::read(const SavedDevice* device,
                                                      const SettingKey& key) {
  const Setting& setting = setting_of(key.kind);
  if (device == nullptr) return setting.read({}, key);
  return at_device<Result<std::optional<std::string>>>(
      space_of(*device), *device,
      [&](const DevicePlace& place) { return setting.read(place, key); });
}

Result<void> KernelAccess::write(const SavedDevice* device, const SettingKey& key,
                                 const std::string& value) {
  const Setting& setting = setting_of(key.kind);
  if (device == nullptr) return setting.write({}, key, value);
  return at_device<Result<void>>(space_of(*device), *device, [&](const DevicePlace& place) {
    return setting.write(place, key, value);
  });
}

}  // namespace tw::host
