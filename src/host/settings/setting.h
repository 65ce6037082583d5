// One setting of the machine or of a device: how it is named, read and written. What it should be,
// and why, is said by src/host/plan; how it is put back by src/host/apply.
//
// A further setting is a FileSetting or a class of its own, one entry in `Kind` and one in
// setting.cc.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "machine/netlink/napi_netlink.h"

namespace tw::host {

enum class Kind : std::uint8_t {
  gro,                  ///< of a device: "on", "off"
  device_threaded,      ///< of a device: every NAPI in a thread; before Linux 6.17
  napi_threaded,        ///< of NAPI `index`: 0 softirq, 1 thread, 2 busy-polling thread
  napi_thread,          ///< of NAPI `index`: its thread's policy (settings/thread_policy.h)
  defer_hard_irqs,      ///< of NAPI `index`
  gro_flush_timeout,    ///< of NAPI `index`, ns
  irq_suspend_timeout,  ///< of NAPI `index`, ns
  rps,                  ///< of receive queue `index`: a mask of CPUs
  irq_affinity,         ///< of interrupt `index`: a list of CPUs
  governor,             ///< of CPU `index`
  idle_state,           ///< of CPU `index`, state `sub`: "1" if the CPU may not use it
};
inline constexpr std::size_t kinds = 11;

/// Names one setting. NAPIs count from 0 in the order of their ids, which change when a device
/// loses its NAPIs for a while.
struct SettingKey {
  Kind kind = Kind::gro;
  std::uint32_t index = 0;
  std::uint32_t sub = 0;
  friend auto operator<=>(const SettingKey&, const SettingKey&) = default;
};

/// Where a device's settings are. Its maker keeps the thread in the device's network namespace, and
/// `sysfs` mounted.
struct DevicePlace {
  std::string name;
  std::uint32_t index = 0;         ///< of the device
  std::string sysfs;               ///< "/sys"
  NapiNetlink* netlink = nullptr;  ///< null: this kernel has no netdev family
};

/// All are without state and shared.
class Setting {
 public:
  virtual ~Setting() = default;
  /// In the file of what was set, and in JSON.
  virtual std::string_view name() const noexcept = 0;
  /// False: it is the machine's, and `place` is not looked at.
  virtual bool of_device() const noexcept { return true; }
  /// For people: "thread of NAPI 0".
  virtual std::string label(const SettingKey& key) const = 0;
  /// Empty if there is nothing that could have it: no such NAPI, no thread, an older kernel.
  virtual Result<std::optional<std::string>> read(const DevicePlace& place,
                                                  const SettingKey& key) const = 0;
  virtual Result<void> write(const DevicePlace& place, const SettingKey& key,
                             const std::string& value) const = 0;
  /// True if read() can return this, so that it may be written.
  virtual bool is_value(std::string_view value) const noexcept = 0;
};

const Setting& setting_of(Kind kind) noexcept;
/// The setting with this name().
std::optional<Kind> kind_named(std::string_view name) noexcept;

/// The name of the device with this index, in the namespace of the calling thread; "" if none.
std::string device_name(std::uint32_t index);
/// The thread of a NAPI, if that process is one: pids mean others in a container.
bool is_napi_thread(std::uint32_t pid);
/// The first line of a file; empty if it cannot be read.
std::optional<std::string> read_line(const std::string& path);

}  // namespace tw::host
