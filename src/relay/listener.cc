#include "relay/listener.h"

#include <sys/socket.h>

#include <cerrno>

#include "wire/sockaddr.h"

namespace tw::relay {
namespace {

// What accept4 may say of a connection that died in the queue, or of a network that changed under
// it (accept(2), "Error handling"): the next one is asked for.
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

AcceptStatus Listener::accept(SpareFd& spare, Accepted& accepted) noexcept {
  bool gave_up = false;
  for (;;) {
    sockaddr_storage storage{};
    auto* const address = reinterpret_cast<sockaddr*>(&storage);
    socklen_t size = sizeof storage;
    UniqueFd socket{::accept4(fd(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!socket) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return AcceptStatus::empty;
      if (is_of_one_connection(errno)) continue;
      if (!gave_up && (errno == EMFILE || errno == ENFILE) && spare.give_up()) {
        gave_up = true;
        continue;
      }
      return AcceptStatus::exhausted;
    }
    if (gave_up) {
      socket.reset();  // lingers {1, 0} as its listener does: a reset
      spare.keep();
      return AcceptStatus::refused;
    }
    const auto peer = from_sockaddr(address, size);
    size = sizeof storage;
    if (!peer || ::getsockname(socket.get(), address, &size) != 0) continue;
    const auto ours = from_sockaddr(address, size);
    if (!ours) continue;
    accepted = {std::move(socket), *peer, *ours};
    return AcceptStatus::accepted;
  }
}

}  // namespace tw::relay
