// The kernel's part of a transfer over a path that is known: it opens the congestion window of one
// socket, lets that leave paced, and finds out whether the path carries more. Then the socket's own
// congestion control goes on. The node has one that is an eBPF program
// (port/kernel/careful_resume.h), where the kernel takes it.
#pragma once

#include <cstdint>
#include <optional>

namespace tw::relay {

class Resumer {
 public:
  /// By how much more than it is known to carry a path is tried.
  enum class Probe : std::uint8_t {
    nothing,
    little,  ///< it was seen to carry no more
    much,
  };
  struct Start {
    std::uint64_t rate_bps = 0;  ///< that the path is known to carry
    std::uint32_t window = 0;    ///< segments of that in a round trip; a larger one already stays
    Probe probe = Probe::much;
  };
  /// The findings of a start.
  struct Found {
    std::uint64_t rate_bps = 0;  ///< that the path carries
    bool is_full = false;        ///< and no more
    bool over = false;           ///< the socket has its own congestion control again
  };
  virtual ~Resumer() = default;
  /// False: the socket is as it was. Some system calls.
  virtual bool resume(int socket, const Start& start) noexcept = 0;
  /// Sends an acknowledgement that nobody has asked for: it tells the other side how much it may
  /// send now. Five system calls.
  virtual void announce(int socket) noexcept = 0;
  /// By the last start of a socket; nothing if it had none. A system call.
  virtual std::optional<Found> found(int socket) noexcept = 0;
};

}  // namespace tw::relay
