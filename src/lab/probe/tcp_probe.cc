#include "lab/probe/tcp_probe.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "wire/address.h"
#include "wire/sockaddr.h"

namespace tw::lab {
namespace {

constexpr int socket_type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

Result<std::string> congestion_of(int fd) {
  std::array<char, 16> name{};
  socklen_t length = name.size();
  if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), &length) != 0) {
    return system_error("getsockopt TCP_CONGESTION");
  }
  return std::string{name.data()};
}

}  // namespace

Result<TcpFacts> probe_tcp(const Namespace& client, const Namespace& server,
                           const std::string& address, Interrupt& interrupt) {
  const auto target = IpAddress::parse(address);
  if (!target) return make_error(Error::Kind::config, "probe TCP at " + address);
  SocketAddress bound = to_sockaddr({.address = *target});
  UniqueFd listener, near;
  auto listening = server.enter([&]() -> Result<void> {
    listener.reset(socket(AF_INET, socket_type, 0));
    if (!listener || bind(listener.get(), bound.get(), bound.length) != 0 ||
        listen(listener.get(), 1) != 0 ||
        getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length) !=
            0) {
      return system_error("listen at " + address);
    }
    return {};
  });
  if (!listening) return std::unexpected(listening.error());
  auto connecting = client.enter([&]() -> Result<void> {
    near.reset(socket(AF_INET, socket_type, 0));
    if (!near || (connect(near.get(), bound.get(), bound.length) != 0 && errno != EINPROGRESS)) {
      return system_error("connect to " + address);
    }
    return {};
  });
  if (!connecting) return std::unexpected(connecting.error());
  if (!interrupt.wait_readable(listener.get(), std::chrono::seconds{10})) {
    if (interrupt.fired()) return interrupted();
    return make_error(Error::Kind::unavailable, "no connection from client to " + address);
  }
  const UniqueFd far{accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!far) return system_error("accept at " + address);
  auto server_side = congestion_of(far.get());
  auto client_side = congestion_of(near.get());
  if (!server_side) return std::unexpected(server_side.error());
  if (!client_side) return std::unexpected(client_side.error());
  return TcpFacts{*server_side, *client_side};
}

}  // namespace tw::lab
