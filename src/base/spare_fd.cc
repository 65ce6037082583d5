#include "base/spare_fd.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace tw {
namespace {

// True for errors that accept4 gives for a connection that died in the queue, or for a network that
// changed under it (accept(2), "Error handling"): the next connection is asked for.
bool is_of_one_connection(int code) noexcept {
  switch (code) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool is_in_reserve(int fd) noexcept {
  constexpr rlim_t share = 16, most = 64;
  rlimit limit{};
  // Asked each time: an operator may change it while we run (prlimit).
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  const rlim_t reserve = std::min(limit.rlim_cur / share, most);
  return fd >= 0 && static_cast<rlim_t>(fd) >= limit.rlim_cur - reserve;
}

SpareFd::Accepted SpareFd::accept(int listener, UniqueFd& socket, bool leave_reserve,
                                  sockaddr* address, socklen_t* size) noexcept {
  keep();
  const socklen_t room = size == nullptr ? 0 : *size;
  for (bool gave_up = false;;) {
    if (size != nullptr) *size = room;
    socket.reset(::accept4(listener, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int code = socket ? 0 : errno;
    if (socket && !gave_up && !(leave_reserve && is_in_reserve(socket.get()))) {
      return Accepted::accepted;
    }
    if (socket) {
      socket.reset();
      keep();
      return Accepted::refused;
    }
    if (is_of_one_connection(code)) continue;
    const bool is_out = code == EMFILE || code == ENFILE;
    if (is_out && !gave_up && give_up()) {
      gave_up = true;
      continue;
    }
    keep();
    return code == EAGAIN || code == EWOULDBLOCK ? Accepted::empty : Accepted::exhausted;
  }
}

void SpareFd::keep() noexcept {
  if (!fd_) fd_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool SpareFd::give_up() noexcept {
  const bool had = static_cast<bool>(fd_);
  fd_.reset();
  return had;
}

}  // namespace tw
