// A network namespace: found by its path, by the process that is in it, or again by its cookie.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tw::host {

/// While it lives, the calling thread is in that network namespace.
class InsideSpace {
 public:
  explicit InsideSpace(UniqueFd home) noexcept : home_(std::move(home)) {}
  InsideSpace(InsideSpace&&) noexcept = default;
  InsideSpace& operator=(InsideSpace&&) = delete;
  ~InsideSpace();

 private:
  UniqueFd home_;
};

class NetworkSpace {
 public:
  /// The one of the calling thread. Needs no right; setting anything does.
  static Result<NetworkSpace> own();
  /// By a file: /run/netns/NAME, /proc/PID/ns/net. Needs CAP_SYS_ADMIN.
  static Result<NetworkSpace> open(const std::string& path);
  /// By the cookie that it had, wherever it is mounted or used now; `hint` is tried first.
  /// `unavailable` if nothing holds it any more.
  static Result<NetworkSpace> find(std::uint64_t cookie, const std::string& hint);
  /// Files of all that are mounted by `ip netns` or that a process is in, each once.
  static std::vector<std::string> all_files();

  /// The kernel's number of it, which is never given out twice before the next start.
  std::uint64_t cookie() const noexcept { return cookie_; }
  /// The file that it was opened by; "" of our own.
  const std::string& where() const noexcept { return where_; }
  /// The path of a sysfs whose class/net shows its devices; lives as long as this object.
  const std::string& sysfs() const noexcept { return sysfs_; }
  Result<InsideSpace> enter() const;
  int descriptor() const noexcept { return file_.get(); }

 private:
  NetworkSpace() = default;
  static Result<NetworkSpace> of_file(UniqueFd file, std::string where);

  UniqueFd file_;
  UniqueFd mount_;  // of sysfs, attached nowhere
  std::uint64_t cookie_ = 0;
  std::string where_, sysfs_;
};

}  // namespace tw::host
