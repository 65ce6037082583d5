// The congestion control that starts a transfer over a path that is known: Careful Resume (RFC
// 9959), an eBPF program (bpf/careful_resume.bpf.c). It has a socket while that starts, finds out
// whether the path carries more, and then gives the socket back to the congestion control that it
// had, in the kernel, with the window as it is.
//
// A socket can get it at any time before or during a transfer. Its first ten segments need nothing
// of this: so what is short never asks for it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tw {

class CarefulResume {
 public:
  /// By how much more than it is known to carry a path is tried.
  enum class Probe : std::uint8_t { nothing, little, much };
  /// The start of one socket.
  struct Start {
    std::uint64_t bytes_per_s = 0;  ///< that the path is known to carry
    std::uint32_t window = 0;  ///< segments of that in a round trip; a larger one already stays
    Probe probe = Probe::much;
  };
  struct Reached {
    std::uint64_t bytes_per_s = 0;  ///< that the path has been found to carry
    bool is_full = false;           ///< and no more
    bool over = false;              ///< the socket has its own congestion control again
  };

  /// Loads the program; the kernel does not know it yet. Fails without CAP_BPF, CAP_NET_ADMIN and
  /// CAP_PERFMON, or before Linux 6.4.
  static Result<CarefulResume> load();

  /// From now on the kernel has a congestion control of this name(), until this is gone or the
  /// process, however that ends. Needs no CAP_PERFMON. Again: as it is.
  Result<void> enable();
  void disable() noexcept { link_.reset(); }
  bool is_enabled() const noexcept { return static_cast<bool>(link_); }

  /// Gives the socket a start, after which it has the congestion control again that it has now.
  /// Three system calls, or five if an earlier start of it is not over. Fails if this is not
  /// enabled, and leaves the socket its congestion control. From any thread.
  Result<void> begin(int socket, const Start& start) const noexcept;

  /// Sends an acknowledgement now, though nothing has come: it tells the other side of the window
  /// that is open. Not while a start of the socket is under way: what that sends tells it, too.
  /// Four system calls. Fails if this is not enabled, and leaves the socket its congestion control.
  Result<void> acknowledge(int socket) const noexcept;

  /// Returns the state of a socket's last start. A system call. Fails if it had none.
  Result<Reached> reached(int socket) const noexcept;

  /// Returns the TCP_CONGESTION of a socket whose start is not over; the machine's other nodes have
  /// other names.
  const std::string& name() const noexcept { return name_; }

 private:
  CarefulResume(std::string name, UniqueFd control, UniqueFd starts) noexcept
      : name_(std::move(name)), control_(std::move(control)), starts_(std::move(starts)) {}

  std::string name_;
  UniqueFd control_, link_;
  UniqueFd starts_;  // a map: socket -> tw_resume
};

}  // namespace tw
