// A measuring stick, and no product: a relay that does nothing but pass bytes on. What a connection
// costs here it costs any relay on this kernel that is two sockets and one thread, and what another
// relay takes beyond it is for what that one does. Hence no time-outs, no policy, no log, no
// statistics and no urgent data; an end that breaks off resets the other, since that is free.
//
// The fewest system calls for 1 KB there and 1 KB back, by these means: a listener hands down its
// TCP_NODELAY, and takes one connection an event unless so much happens that asking in vain once
// is less; epoll is edge-triggered, told of a socket once, and asked when it can send only after it
// could not, so that no event says what is known; a receive that comes back short has emptied the
// socket, and if the event said that the end is there too, no other has to find it; a FIN goes with
// the last bytes; where both directions have ended closing is enough.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "exchange.h"
#include "load.h"

namespace tw::bench {
namespace {

constexpr int backlog = 4096;
constexpr int most_turns = 16;  // of a buffer each, then the others are looked after
constexpr int busy_events = 4;  // at once: more than one connection at a time has
constexpr int most_admitted = 64;

struct Buffer {
  std::size_t begin = 0, end = 0;
  std::array<char, 64U << 10U> bytes;
};

/// One socket of a connection, and the bytes from it that the other has not taken yet.
struct End {
  UniqueFd socket;
  int other = -1;
  bool is_readable = false;
  bool is_writable = true;    // as far as we know
  bool is_connected = false;  // for certain
  bool is_told = false;       // when it becomes writable
  bool has_fin = false;       // it came, and all before it
  bool is_over = false;       // nothing is left to receive
  bool is_done = false;       // nor to pass on, and the other's side has been told
  std::unique_ptr<Buffer> buffer = nullptr;
};

struct Route {
  UniqueFd listener;
  sockaddr_in target;
};

class Passer {
 public:
  Passer(int epoll, const std::vector<Route>& routes) : epoll_(epoll), routes_(routes) {}

  /// Returns only if a listener or epoll fails, with errno.
  void run() {
    std::array<epoll_event, 256> events;
    std::vector<const Route*> called;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) return;
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const int fd = event.data.fd;
        const auto route = std::ranges::find(routes_, fd, [](auto& r) { return r.listener.get(); });
        if (route != routes_.end()) {
          called.push_back(&*route);
        } else if (at(fd).socket) {  // else an event before this one has closed it
          advance(at(fd), event.events);
        }
      }
      // Last, so that no event above is of a descriptor that has meanwhile become another's.
      for (const Route* route : called) {
        if (!admit(*route, count < busy_events ? 1 : most_admitted)) return;
      }
      called.clear();
    }
  }

 private:
  End& at(int fd) { return ends_[static_cast<std::size_t>(fd)]; }

  /// False if the listener has failed.
  bool admit(const Route& route, int most) {
    for (int i = 0; i < most; ++i) {
      UniqueFd front{
          ::accept4(route.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!front) return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
      connect(std::move(front), route.target);
    }
    return true;
  }

  /// Begins to; what cannot be is reset.
  void connect(UniqueFd front, const sockaddr_in& target) {
    UniqueFd back{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const int on = 1;
    const auto* const address = reinterpret_cast<const sockaddr*>(&target);
    if (!back || ::setsockopt(back.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (::connect(back.get(), address, sizeof target) != 0 && errno != EINPROGRESS) ||
        !watch(EPOLL_CTL_ADD, front.get(), 0) || !watch(EPOLL_CTL_ADD, back.get(), 0)) {
      return reset(front);
    }
    const int fds[] = {front.get(), back.get()};
    const auto needed = static_cast<std::size_t>(std::max(fds[0], fds[1])) + 1;
    if (ends_.size() < needed) ends_.resize(2 * needed);
    at(fds[0]) = {.socket = std::move(front), .other = fds[1], .is_connected = true};
    at(fds[1]) = {.socket = std::move(back), .other = fds[0]};
  }

  bool watch(int operation, int fd, std::uint32_t more) const {
    epoll_event event{.events = EPOLLIN | EPOLLRDHUP | EPOLLET | more, .data = {.fd = fd}};
    return ::epoll_ctl(epoll_, operation, fd, &event) == 0;
  }

  /// Edges that are there are reported once more.
  bool watch_again(const End& one) const {
    return watch(EPOLL_CTL_MOD, one.socket.get(), one.is_told ? std::uint32_t{EPOLLOUT} : 0);
  }

  /// An event says when it can send.
  bool await_room(End& one) const {
    one.is_writable = false;
    return std::exchange(one.is_told, true) || watch_again(one);
  }

  void advance(End& one, std::uint32_t events) {
    End& other = at(one.other);
    if ((events & ~EPOLLOUT) != 0) one.is_readable = true;
    if ((events & EPOLLOUT) != 0) one.is_writable = true;
    one.is_connected = true;
    if ((events & EPOLLRDHUP) != 0) one.has_fin = true;
    // A reset says EPOLLRDHUP as well. What was received before it is lost, as TCP allows.
    if ((events & EPOLLERR) != 0 || !pass(one, other) || !pass(other, one)) {
      reset(one.socket);
      reset(other.socket);
    } else if (!one.is_done || !other.is_done) {
      return;
    }
    one = {};
    other = {};
  }

  /// As much as comes and is taken. False if one of the two has failed.
  bool pass(End& from, End& to) {
    for (int turn = 0; turn < most_turns; ++turn) {
      if (from.is_done || !to.is_writable) return true;
      if (!from.buffer && !from.is_over) {
        if (!from.is_readable) return true;
        if (!take(from)) return false;
      }
      if (from.buffer && !give(from, to)) return false;
      if (from.buffer) return true;
      if (from.is_over) {
        if (!to.is_connected) return await_room(to);  // a shutdown would end the attempt
        from.is_done = true;
        return to.is_done || ::shutdown(to.socket.get(), SHUT_WR) == 0;
      }
    }
    return watch_again(from);
  }

  bool take(End& from) {
    std::unique_ptr<Buffer> buffer = spare();
    const ssize_t came = ::recv(from.socket.get(), buffer->bytes.data(), buffer->bytes.size(), 0);
    const bool is_empty = came < std::ssize(buffer->bytes);
    if (is_empty) from.is_readable = false;
    from.is_over = came == 0 || (came > 0 && is_empty && from.has_fin);
    if (came > 0) {
      buffer->begin = 0;
      buffer->end = static_cast<std::size_t>(came);
      from.buffer = std::move(buffer);
      return true;
    }
    spare_.push_back(std::move(buffer));
    return came == 0 || errno == EAGAIN;
  }

  bool give(End& from, End& to) {
    Buffer& buffer = *from.buffer;
    const std::size_t size = buffer.end - buffer.begin;
    const int flags = MSG_NOSIGNAL | (from.is_over ? MSG_MORE : 0);  // the FIN follows at once
    const ssize_t sent = ::send(to.socket.get(), buffer.bytes.data() + buffer.begin, size, flags);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent > 0) {
      to.is_connected = true;
      buffer.begin += static_cast<std::size_t>(sent);
    }
    if (buffer.begin < buffer.end) return await_room(to);
    spare_.push_back(std::move(from.buffer));
    return true;
  }

  std::unique_ptr<Buffer> spare() {
    if (spare_.empty()) return std::make_unique_for_overwrite<Buffer>();
    std::unique_ptr<Buffer> buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
  }

  static void reset(const UniqueFd& socket) {
    const linger at_once{1, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  int epoll_;
  const std::vector<Route>& routes_;
  std::vector<End> ends_;  // by descriptor
  std::vector<std::unique_ptr<Buffer>> spare_;
};

/// A listener that epoll watches, or none with errno.
UniqueFd listen_at(const sockaddr_in& own, int epoll) {
  UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int fd = listener.get(), on = 1;
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (!listener || ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
      ::listen(fd, backlog) != 0 || ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    return {};
  }
  return listener;
}

}  // namespace

void pass(const std::string& own_address, const std::string& address,
          const std::vector<std::string>& ports) {
  raise_file_limit();
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) return std::perror("epoll");
  std::vector<Route> routes;
  for (const std::string& port : ports) {
    const auto own = parse_target(own_address, port);
    const auto target = parse_target(address, port);
    errno = EINVAL;
    UniqueFd listener = own && target ? listen_at(*own, epoll.get()) : UniqueFd{};
    if (!listener) return std::perror("listen");
    routes.push_back({std::move(listener), *target});
  }
  std::fputs("ready\n", stderr);
  Passer{epoll.get(), routes}.run();
  std::perror("pass");
}

}  // namespace tw::bench
