// Files of a run, and those that a killed run leaves: a private folder that goes with its
// owner, and a sweep for runs that had no chance to clean up.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::lab {

/// A folder only root can enter, in the system's temporary folder; removed with all it holds.
class ScratchFolder {
 public:
  static Result<ScratchFolder> create();
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();

  const std::filesystem::path& path() const noexcept { return path_; }
  /// Writes a new file of mode 0600 and returns its path.
  Result<std::string> write(const std::string& name, std::string_view contents) const;

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;  ///< empty: moved from
};

/// Removes what runs that no longer live have left behind: the processes in their namespaces, the
/// namespaces, scratch folders, and the files that daemons keep by interface name. Returns what it
/// removed. Things whose name carries the pid of a living run (run_lock.h) are never touched.
std::vector<std::string> remove_stale_runs();

/// The pid in a name that begins with `prefix` and then digits: 12 in "thalweg-12-rc". 0: none.
int pid_in_name(std::string_view name, std::string_view prefix) noexcept;

}  // namespace tw::lab
