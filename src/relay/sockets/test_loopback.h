// For the tests of this folder: two connected TCP sockets on loopback, as the relay has them
// (non-blocking, SO_LINGER {1, 0}), and the few calls with which a test plays the other side.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/unique_fd.h"
#include "relay/sockets/sockets.h"
#include "wire/sockaddr.h"

namespace tw::relay {

struct LoopbackPair {
  UniqueFd ours, theirs;
};

inline Endpoint local_endpoint(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  TW_ASSERT(::getsockname(socket, address, &size) == 0);
  return from_sockaddr(address, size).value();
}

inline Endpoint loopback_port() { return {IpAddress::v4({127, 0, 0, 1}), 0, 0}; }

/// `buffer_bytes` for both, before they connect; 0: the system's.
inline LoopbackPair connect_pair(int buffer_bytes = 0) {
  UniqueFd listener{open_listener({.address = loopback_port()}).value()};
  if (buffer_bytes > 0) {
    for (const int option : {SO_RCVBUF, SO_SNDBUF}) {
      ::setsockopt(listener.get(), SOL_SOCKET, option, &buffer_bytes, sizeof buffer_bytes);
    }
  }
  UniqueFd ours = open_onward({.target = local_endpoint(listener.get())}).value();
  if (buffer_bytes > 0) {
    ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
  }
  pollfd ready{.fd = listener.get(), .events = POLLIN, .revents = 0};
  TW_ASSERT(::poll(&ready, 1, 5000) == 1);
  UniqueFd theirs{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  TW_ASSERT(static_cast<bool>(theirs));
  return {std::move(ours), std::move(theirs)};
}

/// Loopback delivers in the course of the call that sends, or a little later in a softirq.
inline short wait_for(int socket, short events, int timeout_ms = 5000) {
  pollfd ready{.fd = socket, .events = events, .revents = 0};
  return ::poll(&ready, 1, timeout_ms) == 1 ? ready.revents : short{0};
}

/// Until `bytes` can be read at once.
inline bool wait_for_bytes(int socket, std::size_t bytes) {
  const auto set_low_water = [&](int value) {
    ::setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
  };
  set_low_water(static_cast<int>(bytes));
  const bool there = (wait_for(socket, POLLIN) & POLLIN) != 0;
  set_low_water(1);
  return there;
}

inline void put(int socket, std::string_view text) {
  TW_ASSERT(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
}

/// The bytes that can be read now. `end` follows them: -1 nothing yet, 0 end of file, else errno.
struct Got {
  std::string bytes;
  int end = -1;
};
inline Got get(int socket, std::size_t most = SIZE_MAX) {
  Got got;
  std::array<char, 65536> buffer;
  while (got.bytes.size() < most) {
    const auto count =
        ::recv(socket, buffer.data(), std::min(buffer.size(), most - got.bytes.size()), 0);
    if (count > 0) {
      got.bytes.append(buffer.data(), static_cast<std::size_t>(count));
      continue;
    }
    if (count == 0) got.end = 0;
    if (count < 0 && errno != EAGAIN) got.end = errno;
    break;
  }
  return got;
}

}  // namespace tw::relay
