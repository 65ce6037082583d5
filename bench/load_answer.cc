#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "exchange.h"
#include "load.h"

namespace tw::bench {
namespace {

constexpr int backlog = 4096;
constexpr std::size_t chunk_bytes = 256U << 10U;

/// One connection, and how far it is: bytes of the request that came, of the answer that are left.
struct Caller {
  UniqueFd socket;
  std::array<char, INET_ADDRSTRLEN + 1> address{};  // ends with a newline
  std::size_t address_bytes = 0;
  std::array<char, request_bytes> request{};
  std::size_t came = 0, left = 0;
  bool is_begun = false, is_echoed = false;
  Then then = Then::close;
};

class Answerer {
 public:
  Answerer(int listener, int epoll)
      : listener_(listener), epoll_(epoll), filler_(chunk_bytes, 'a') {}

  /// False if the listener has failed.
  bool run() {
    std::array<epoll_event, 256> events;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) return false;
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd != listener_) {
          advance(caller(fd));
        } else if (!admit()) {
          return false;
        }
      }
    }
  }

 private:
  Caller& caller(int fd) { return callers_[static_cast<std::size_t>(fd)]; }

  bool admit() {
    while (true) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      UniqueFd socket{::accept4(listener_, reinterpret_cast<sockaddr*>(&from), &size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!socket) return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
      const int fd = socket.get();
      epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.fd = fd}};
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return false;
      const auto needed = static_cast<std::size_t>(fd) + 1;
      if (callers_.size() < needed) callers_.resize(2 * needed);
      Caller& one = caller(fd);
      one = {};
      one.socket = std::move(socket);
      ::inet_ntop(AF_INET, &from.sin_addr, one.address.data(), INET_ADDRSTRLEN);
      one.address_bytes = std::string_view{one.address.data()}.size() + 1;
      one.address[one.address_bytes - 1] = '\n';
    }
  }

  void advance(Caller& one) {
    while (one.socket) {
      if (one.is_echoed) return echo(one);
      if (one.came < request_bytes) {
        const ssize_t came =
            ::recv(one.socket.get(), one.request.data() + one.came, request_bytes - one.came, 0);
        if (came < 0 && errno == EAGAIN) return;
        if (came <= 0) return one.socket.reset();
        one.came += static_cast<std::size_t>(came);
        if (one.came < request_bytes) continue;
        const auto request = parse_request(one.request);
        if (!request) return one.socket.reset();
        one.left = request->answer_bytes;
        one.then = request->then;
        one.is_begun = false;
      }
      if (!send_some(one)) return;
    }
  }

  /// False if the socket takes no more now.
  bool send_some(Caller& one) {
    const std::size_t size = std::min(one.left, filler_.size());
    if (!one.is_begun) std::copy_n(one.address.data(), one.address_bytes, filler_.data());
    const ssize_t sent = ::send(one.socket.get(), filler_.data(), size, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) return false;
      one.socket.reset();
      return true;
    }
    one.is_begun = true;
    one.left -= static_cast<std::size_t>(sent);
    if (one.left > 0) return true;
    one.came = 0;
    one.is_echoed = one.then == Then::echo;
    const int on = 1;
    if (one.then == Then::close ||
        (one.is_echoed &&
         ::setsockopt(one.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)) {
      one.socket.reset();
    }
    return true;
  }

  /// Sends back what has come. The asking end has no more under way than a socket takes at once.
  void echo(Caller& one) {
    while (true) {
      const ssize_t came = ::recv(one.socket.get(), one.request.data(), one.request.size(), 0);
      if (came < 0 && errno == EAGAIN) return;
      if (came <= 0 || ::send(one.socket.get(), one.request.data(), static_cast<std::size_t>(came),
                              MSG_NOSIGNAL) != came) {
        return one.socket.reset();
      }
    }
  }

  int listener_;
  int epoll_;
  std::vector<char> filler_;
  std::vector<Caller> callers_;  // by descriptor
};

}  // namespace

void answer(const std::string& port) {
  raise_file_limit();
  const auto own = parse_target("0.0.0.0", port);
  const UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  const int on = 1;
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener.get()}};
  if (!own || !listener || !epoll ||
      ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*own), sizeof *own) != 0 ||
      ::listen(listener.get(), backlog) != 0 ||
      ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener.get(), &event) != 0) {
    return std::perror("listen");
  }
  std::fputs("ready\n", stderr);
  if (!Answerer{listener.get(), epoll.get()}.run()) std::perror("answer");
}

}  // namespace tw::bench
