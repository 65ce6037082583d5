// For whoever accepts connections: what to do when no descriptors are left. A listener that cannot
// accept stays readable, its loop spins, and whoever connects hangs. So a descriptor is kept in
// reserve and given up for the moment in which a connection is accepted to be closed.
//
// And a reserve for the process: who serves the public leaves the last descriptors to those by
// whom an operator finds out what is wrong, and mends it.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "base/unique_fd.h"

namespace tw {

/// True if `fd` is among the last that this process may have: a sixteenth of its limit, 64 at most.
/// Descriptors are given out lowest first, so a number so high says that few are left. A server of
/// the public closes such a descriptor, and takes it for EMFILE.
bool is_in_reserve(int fd) noexcept;

class SpareFd {
 public:
  enum class Accepted : std::uint8_t {
    accepted,
    empty,      ///< nobody is waiting
    refused,    ///< no descriptor for it: the connection has been closed
    exhausted,  ///< none at all: to be tried again later
  };
  /// Non-blocking, close-on-exec. `address` and `size` as for accept4, or null. With
  /// `leave_reserve` what is_in_reserve() is refused. A spare that another thread has got hold of
  /// is looked for anew at each call: it comes back before anybody is served.
  Accepted accept(int listener, UniqueFd& socket, bool leave_reserve, sockaddr* address = nullptr,
                  socklen_t* size = nullptr) noexcept;

  /// Opens it, unless it is open. May fail, in silence: then there is none to give up.
  void keep() noexcept;

 private:
  bool give_up() noexcept;
  UniqueFd fd_;
};

}  // namespace tw
