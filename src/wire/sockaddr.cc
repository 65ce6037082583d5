#include "wire/sockaddr.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace tw {

SocketAddress to_sockaddr(const Endpoint& endpoint) noexcept {
  SocketAddress out;
  const ByteView octets = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, octets.data(), sizeof v4.sin_addr);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.length = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    v6.sin6_scope_id = endpoint.scope_id;
    std::memcpy(&v6.sin6_addr, octets.data(), sizeof v6.sin6_addr);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.length = sizeof v6;
  }
  return out;
}

std::optional<Endpoint> from_sockaddr(const sockaddr* address, socklen_t length) noexcept {
  if (address == nullptr || length < sizeof address->sa_family) return {};
  sa_family_t family = AF_UNSPEC;
  std::memcpy(&family, &address->sa_family, sizeof family);
  if (family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    return Endpoint{IpAddress::v4(octets), ntohs(v4.sin_port), 0};
  }
  if (family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
    const IpAddress plain = IpAddress::v6(octets).unmapped();
    return Endpoint{plain, ntohs(v6.sin6_port), plain.is_v4() ? 0 : v6.sin6_scope_id};
  }
  return {};
}

}  // namespace tw
