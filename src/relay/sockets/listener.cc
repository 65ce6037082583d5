#include "relay/sockets/listener.h"

#include <sys/socket.h>

#include <utility>

#include "wire/sockaddr.h"

namespace tw::relay {

AcceptStatus Listener::accept(SpareFd& spare, Accepted& accepted) noexcept {
  for (;;) {
    sockaddr_storage storage{};
    auto* const address = reinterpret_cast<sockaddr*>(&storage);
    socklen_t size = sizeof storage;
    UniqueFd socket;
    switch (spare.accept(fd(), socket, /*leave_reserve=*/true, address, &size)) {
      case SpareFd::Accepted::empty:
        return AcceptStatus::empty;
      case SpareFd::Accepted::refused:  // lingers {1, 0} as its listener does: a reset
        return AcceptStatus::refused;
      case SpareFd::Accepted::exhausted:
        return AcceptStatus::exhausted;
      case SpareFd::Accepted::accepted:
        break;
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
