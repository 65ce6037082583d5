// A record of what was set on this machine and what was there before, so that it can be put back:
// /run/thalweg/host.state.
//
// It is written, whole and on disk, before the first setting is changed, and again when some are
// put back: a process that is killed leaves a file that names at least what it has changed. Kernel
// settings do not outlive the machine's start, and neither does what the file says: it has the boot
// id of its start, and is void after another. Fields are split by tabs, one line an entry:
//
//   thalweg-host 1 BOOT_ID
//   device NETNS_COOKIE INDEX NAME WHERE UID SECONDS
//   set KIND DEVICE INDEX SUB BEFORE VALUE
//   end
//
// WHERE is "-" for our own namespace. DEVICE counts from 0, and is "-" for the machine. BEFORE is
// "-" if the setting was not there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "host/settings/setting.h"

namespace tw::host {

/// A device as it can be found again: its name may change, and another may get its name.
struct SavedDevice {
  std::uint64_t netns = 0;  ///< the namespace's cookie
  std::uint32_t index = 0;
  std::string name;
  std::string where{};        ///< a file of the namespace, once; "" of our own
  std::uint32_t uid = 0;      ///< of the user who applied the settings
  std::uint64_t seconds = 0;  ///< of the epoch, when that was
  bool is(const SavedDevice& other) const noexcept {
    return netns == other.netns && index == other.index;
  }
  friend bool operator==(const SavedDevice&, const SavedDevice&) = default;
};

struct SavedSetting {
  SettingKey key;
  std::optional<std::uint32_t> device;  ///< in SavedState::devices; empty: of the machine
  std::optional<std::string> before;    ///< empty: there was none
  std::string value;                    ///< set by us
  friend bool operator==(const SavedSetting&, const SavedSetting&) = default;
};

struct SavedState {
  std::string boot;  ///< /proc/sys/kernel/random/boot_id
  std::vector<SavedDevice> devices;
  std::vector<SavedSetting> settings;  ///< in the order in which they were set
  friend bool operator==(const SavedState&, const SavedState&) = default;
};

/// Empty if a name, path or value cannot stand in a line: it has a tab or a control character.
std::optional<std::string> to_text(const SavedState& state);
/// The error names the first line that is not one of ours. Every value is one that the setting's
/// read() could have returned, so that a damaged file writes nothing strange anywhere.
Result<SavedState> state_of(std::string_view text);

/// The boot id of this start.
Result<std::string> boot_id();

/// The file, and the right to change it: one process at a time has it open.
class StateFile {
 public:
  /// Makes the folder (mode 0700) and waits for no one: `unavailable` if another process has it.
  static Result<StateFile> open(const std::string& folder);
  /// Reads without the right to change: what a process sets now may be there or not.
  static Result<SavedState> peek(const std::string& folder);

  /// An empty state if there is no file, or if it is of another start of the machine.
  Result<SavedState> load() const;
  /// On disk when it returns. A state without settings removes the file.
  Result<void> store(const SavedState& state) const;
  const std::string& path() const noexcept { return path_; }

 private:
  StateFile(std::string path, UniqueFd lock) noexcept;
  std::string path_;
  UniqueFd lock_;
};

}  // namespace tw::host
