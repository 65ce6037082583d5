// A host of an experiment: a named network namespace, gone with its owner. The name carries our
// pid, so that whoever starts next can tell what a killed run left behind from what is in use.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "lab/bed/interrupt.h"

namespace tw::lab {

class Namespace {
 public:
  /// Makes /run/netns/NAME, with its loopback up. `name` begins with run_prefix().
  static Result<Namespace> create(const std::string& name, Interrupt& interrupt);
  /// Opens /run/netns/NAME, which somebody else has made and will remove.
  static Result<Namespace> open(const std::string& name);
  Namespace(Namespace&& other) noexcept;
  Namespace& operator=(Namespace&&) = delete;
  /// Removes the name, unless it was opened; the namespace itself goes when nothing runs or is open
  /// in it any more.
  ~Namespace();

  const std::string& name() const noexcept { return name_; }
  int fd() const noexcept { return fd_.get(); }

  /// Runs `ip` in it with one command a line, all of which must succeed.
  Result<void> ip(const std::string& commands, Interrupt& interrupt) const;
  /// Calls `work` on a short-lived thread inside the namespace, and waits for it. Descriptors
  /// opened there stay usable everywhere.
  Result<void> enter(const std::function<Result<void>()>& work) const;
  /// Reads or writes /proc/sys/KEY of the namespace, `key` with slashes.
  Result<std::string> sysctl(const std::string& key) const;
  Result<void> set_sysctl(const std::string& key, const std::string& value) const;

 private:
  Namespace(std::string name, UniqueFd fd, bool is_ours)
      : name_(std::move(name)), fd_(std::move(fd)), is_ours_(is_ours) {}
  std::string name_;
  UniqueFd fd_;
  bool is_ours_;  ///< false, too, if moved from
};

/// Takes the name of a namespace away, if it is there.
void remove_namespace(const std::string& name) noexcept;

/// "thalweg-PID-": what every namespace and scratch folder of this run begins with.
std::string run_prefix();
/// "twdPID": what its network interfaces begin with. At most 10 characters, of the 15 allowed.
std::string device_prefix();

}  // namespace tw::lab
