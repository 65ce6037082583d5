// Endpoints as the kernel's sockaddr and back: the one place where the two meet.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "wire/address.h"

namespace tw {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_sockaddr(const Endpoint& endpoint) noexcept;
/// Empty unless AF_INET or AF_INET6 of full length. v4-mapped IPv6 becomes IPv4.
std::optional<Endpoint> from_sockaddr(const sockaddr* address, socklen_t length) noexcept;

}  // namespace tw
