#include "relay/sockets/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <utility>

#include "base/spare_fd.h"
#include "relay/stream/receive_window.h"
#include "wire/sockaddr.h"

namespace tw::relay {
namespace {

// A flood of connections waits here, and not in user space; the kernel caps it at somaxconn.
constexpr int listen_backlog = 4096;
// Connections with data in their SYN whose handshakes are not complete: each holds memory for a
// source that may not exist, though it once had a cookie (RFC 7413, 5.1).
constexpr int fast_open_backlog = 256;

// The options of one socket, in order; after the first that fails the others are not tried.
// The attempt in words, for an error: put together only if there is one.
struct What {
  std::string_view action;
  const Endpoint* endpoint = nullptr;
  std::string_view device{};
  std::string text() const {
    std::string text{action};
    if (endpoint != nullptr) text += ' ' + endpoint->text();
    if (!device.empty()) text.append(" of ").append(device);
    return text;
  }
};

class Options {
 public:
  Options(int socket, const What& what) : socket_(socket), what_(what) {}

  template <typename T>
  Options& set(int level, int name, const T& value, const char* text) {
    return set_bytes(level, name, &value, sizeof value, text);
  }
  Options& set(int level, int name, const std::string& value, const char* text) {
    return set_bytes(level, name, value.data(), static_cast<socklen_t>(value.size()), text);
  }
  Result<void> result() && { return std::move(result_); }

 private:
  Options& set_bytes(int level, int name, const void* value, socklen_t size, const char* text) {
    if (result_ && ::setsockopt(socket_, level, name, value, size) != 0) {
      result_ = system_error(what_.text() + ": " + text);
    }
    return *this;
  }
  const int socket_;
  const What what_;
  Result<void> result_;
};

Result<UniqueFd> open_tcp(Family family, const What& what) {
  const int domain = family == Family::v4 ? AF_INET : AF_INET6;
  UniqueFd socket{::socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
  if (!socket) return system_error(what.text() + ": socket");
  auto set =
      std::move(Options{socket.get(), what}
                    .set(SOL_SOCKET, SO_LINGER, linger{.l_onoff = 1, .l_linger = 0}, "linger")
                    .set(SOL_SOCKET, SO_OOBINLINE, 1, "urgent data in line")
                    .set(IPPROTO_TCP, TCP_NODELAY, 1, "no delay"))
          .result();
  if (!set) return std::unexpected(std::move(set.error()));
  return socket;
}

}  // namespace

// The window scale is fixed by the SYN: later would be too late. Forced, because the system's
// limits are made for hosts, and a leg must hold a long path's whole bandwidth-delay product.
Result<void> start_fast(int socket, const TurboSettings& turbo) {
  const auto bytes = static_cast<int>(std::min<std::uint32_t>(turbo.socket_buffer_bytes, INT_MAX));
  Options options{socket, What{"set up a leg"}};
  if (bytes > 0) {
    options.set(SOL_SOCKET, SO_SNDBUFFORCE, bytes, "send buffer")
        .set(SOL_SOCKET, SO_RCVBUFFORCE, bytes, "receive buffer");
  }
  if (!turbo.congestion_control.empty()) {
    options.set(IPPROTO_TCP, TCP_CONGESTION, turbo.congestion_control, "congestion control");
  }
  return std::move(options).result();
}

Result<void> start_fast_anew(int listener, const TurboSettings& turbo) {
  if (!turbo.congestion_control.empty()) return start_fast(listener, turbo);
  const What what{"give a listener the system's congestion control"};
  const auto fresh = open_tcp(Family::v4, what);
  if (!fresh) return std::unexpected(fresh.error());
  std::array<char, 16> name{};  // TCP_CA_NAME_MAX
  socklen_t length = name.size();
  if (::getsockopt(fresh->get(), IPPROTO_TCP, TCP_CONGESTION, name.data(), &length) != 0) {
    return system_error(what.text());
  }
  TurboSettings with_name = turbo;
  with_name.congestion_control = name.data();
  return start_fast(listener, with_name);
}

Result<void> take_fast_open(int listener, bool take) {
  return std::move(Options{listener, What{"set up a listener"}}.set(
                       IPPROTO_TCP, TCP_FASTOPEN, take ? fast_open_backlog : 0, "fast open"))
      .result();
}

Result<void> notice_death(int socket, const RelayLimits& limits) {
  const auto seconds = [](Duration time) {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
  };
  const auto timeout_ms = static_cast<unsigned>(
      std::chrono::duration_cast<std::chrono::milliseconds>(limits.user_timeout).count());
  Options options{socket, What{"watch for a dead peer"}};
  options.set(SOL_SOCKET, SO_KEEPALIVE, limits.keepalive > 0s ? 1 : 0, "keepalive")
      .set(IPPROTO_TCP, TCP_USER_TIMEOUT, timeout_ms, "user timeout");
  if (limits.keepalive > 0s) {
    options.set(IPPROTO_TCP, TCP_KEEPIDLE, seconds(limits.keepalive), "keepalive idle time")
        .set(IPPROTO_TCP, TCP_KEEPINTVL, seconds(keepalive_interval), "keepalive interval")
        .set(IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes, "keepalive probes");
  }
  return std::move(options).result();
}

Result<UniqueFd> open_listener(const ListenerOptions& wanted) {
  const What what{"listen on", &wanted.address, wanted.device};
  const bool v4 = wanted.address.address.is_v4();
  auto socket = open_tcp(wanted.address.address.family(), what);
  if (!socket) return socket;

  Options options{socket->get(), what};
  options.set(SOL_SOCKET, SO_REUSEADDR, 1, "reuse address")
      .set(SOL_SOCKET, SO_BINDTODEVICE, wanted.device, "bind to device");
  if (wanted.mark != 0) options.set(SOL_SOCKET, SO_MARK, wanted.mark, "mark");
  if (!v4) options.set(IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPv6 only");
  if (wanted.transparent && v4) options.set(IPPROTO_IP, IP_TRANSPARENT, 1, "transparent");
  if (wanted.transparent && !v4) options.set(IPPROTO_IPV6, IPV6_TRANSPARENT, 1, "transparent");
  if (wanted.before_address && v4) options.set(IPPROTO_IP, IP_FREEBIND, 1, "free bind");
  if (wanted.before_address && !v4) options.set(IPPROTO_IPV6, IPV6_FREEBIND, 1, "free bind");
  if (wanted.fast_open) options.set(IPPROTO_TCP, TCP_FASTOPEN, fast_open_backlog, "fast open");
  auto done = std::move(options).result();
  if (done && wanted.turbo) done = start_fast(socket->get(), *wanted.turbo);
  if (done && wanted.limits) done = notice_death(socket->get(), *wanted.limits);
  if (!done) return std::unexpected(std::move(done.error()));
  // Accepted sockets inherit this, too.
  bound_unsent(socket->get(), wanted.turbo != nullptr ? unsent_of_leg : unsent_most);

  const SocketAddress address = to_sockaddr(wanted.address);
  if (::bind(socket->get(), address.get(), address.length) != 0) return system_error(what.text());
  if (::listen(socket->get(), listen_backlog) != 0) return system_error(what.text());
  return socket;
}

Result<UniqueFd> open_onward(const OnwardOptions& wanted) {
  const What what{"connect to", &wanted.target};
  auto socket = open_tcp(wanted.target.address.family(), what);
  if (!socket) return socket;
  if (is_in_reserve(socket->get())) return system_error(EMFILE, what.text() + ": socket");
  if (wanted.limits) {
    auto done = notice_death(socket->get(), *wanted.limits);
    if (!done) return std::unexpected(std::move(done.error()));
  }
  if (!wanted.device.empty()) {
    // Bound to the TUN: with the tunnel down a leg fails, and does not leave by the default route.
    auto done = std::move(Options{socket->get(), what}
                              .set(SOL_SOCKET, SO_BINDTODEVICE, wanted.device, "bind to device")
                              .set(SOL_SOCKET, SO_MARK, wanted.mark, "mark")
                              .set(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, "late port"))
                    .result();
    if (done && wanted.turbo) done = start_fast(socket->get(), *wanted.turbo);
    if (!done) return std::unexpected(std::move(done.error()));
    const SocketAddress source = to_sockaddr(wanted.source);
    if (::bind(socket->get(), source.get(), source.length) != 0) {
      return system_error(what.text() + ": bind " + wanted.source.text());
    }
  }
  // If the kernel will not (tcp_fastopen is off), an ordinary handshake does.
  const int yes = 1;
  if (wanted.fast_open) {
    static_cast<void>(
        ::setsockopt(socket->get(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &yes, sizeof yes));
  }
  bound_unsent(socket->get(), wanted.turbo != nullptr ? unsent_of_leg : unsent_most);
  if (wanted.bound_from != nullptr) {
    *wanted.bound_from = bound_memory(socket->get(), unclaimed_memory);
    tune_memory(socket->get(), true);
  }
  const SocketAddress target = to_sockaddr(wanted.target);
  if (::connect(socket->get(), target.get(), target.length) != 0 && errno != EINPROGRESS) {
    return system_error(what.text());
  }
  if (wanted.bound_from != nullptr) tune_memory(socket->get(), false);
  if (wanted.turbo != nullptr && is_held(*wanted.turbo)) {
    const bool in_time = hold_window(socket->get());
    if (wanted.held_late != nullptr) *wanted.held_late = !in_time;
  }
  return socket;
}

bool is_held(const TurboSettings& turbo) noexcept { return turbo.socket_buffer_bytes > 0; }

Duration connect_rtt(int socket) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  if (info.tcpi_total_retrans > 0) return {};
  return std::chrono::microseconds{info.tcpi_rtt};
}

bool is_writable(int socket) noexcept {
  pollfd asked{.fd = socket, .events = POLLOUT, .revents = 0};
  return ::poll(&asked, 1, 0) != 0;
}

bool has_bytes(int socket) noexcept {
  // Not FIONREAD: that says zero until the handshake is complete, and with Fast Open bytes come
  // before that.
  char byte = 0;
  return ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

bool came_by_fast_open(int socket) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         (info.tcpi_options & TCPI_OPT_SYN_DATA) != 0;
}

bool is_connecting(int socket) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
         info.tcpi_state == TCP_SYN_SENT;
}

void end_in_order(int socket) noexcept {
  const linger off{.l_onoff = 0, .l_linger = 0};
  static_cast<void>(::setsockopt(socket, SOL_SOCKET, SO_LINGER, &off, sizeof off));
}

int take_error(int socket) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace tw::relay
