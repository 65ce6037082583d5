// A larger initial window for single sockets that were accepted, without a route of their own: a
// congestion control of ours, an eBPF program that only opens the window (bpf/), is set on the
// socket before its first byte, and then the one it had again. Whoever knows the name can do that,
// who has CAP_NET_ADMIN.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "port/bpf_object.h"

namespace tw {

class InitialWindow {
 public:
  /// Loads the program; the kernel does not know it yet. Fails without CAP_BPF, CAP_NET_ADMIN and
  /// CAP_PERFMON, or before Linux 6.4.
  static Result<InitialWindow> load();

  /// From now on the kernel has a congestion control of this name(), until this is gone or the
  /// process, however that ends. Needs no CAP_PERFMON. Again: as it is.
  Result<void> enable();
  void disable() noexcept { link_.reset(); }
  bool is_enabled() const noexcept { return static_cast<bool>(link_); }

  /// A socket's window becomes what its SO_MAX_PACING_RATE fills in its RTT, at most so many
  /// segments, and never smaller. Nothing happens to one that has sent data, or whose handshake was
  /// not measured. From any thread.
  void set_most(std::uint32_t segments) noexcept;

  /// What TCP_CONGESTION is to be set to; the machine's other nodes have other names.
  const std::string& name() const noexcept { return name_; }

 private:
  InitialWindow(std::string name, UniqueFd control, SharedMemory limit) noexcept
      : name_(std::move(name)), control_(std::move(control)), limit_(std::move(limit)) {}

  std::string name_;
  UniqueFd control_, link_;
  SharedMemory limit_;
};

}  // namespace tw
