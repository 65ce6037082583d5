#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "base/unique_fd.h"
#include "exchange.h"
#include "load.h"

namespace tw::bench {
namespace {

constexpr std::size_t most_connections = 1'000'000;
constexpr std::size_t under_way_at_most = 64;
constexpr int patience_ms = 10'000;  // without any progress
constexpr std::uint64_t signal_token = UINT64_MAX;

/// The signal that means "go on", as a descriptor.
UniqueFd open_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
}

bool fail(const char* what) {
  std::perror(what);
  return false;
}

class Crowd {
 public:
  Crowd(const sockaddr_in& target, int epoll, int signal, std::size_t count)
      : target_(target), epoll_(epoll), signal_(signal), exchanges_(count) {}

  /// Every connection asks once, some at a time; opens what is not open yet.
  bool ask_all(const Request& request) {
    next_ = answered_ = 0;
    while (answered_ < exchanges_.size()) {
      while (next_ < exchanges_.size() && next_ - answered_ < under_way_at_most) {
        if (!ask(next_++, request)) return false;
      }
      if (answered_ < exchanges_.size() && !take_events(patience_ms)) return false;
    }
    return true;
  }

  /// Until the signal comes. False if a connection ends before.
  bool wait() {
    is_signalled_ = false;
    while (!is_signalled_) {
      if (!take_events(-1)) return false;
    }
    return true;
  }

  void reset() {
    for (Exchange& exchange : exchanges_) exchange.reset();
  }

 private:
  bool ask(std::size_t at, const Request& request) {
    Exchange& exchange = exchanges_[at];
    if (!exchange.is_open()) {
      return exchange.open(target_, epoll_, at, request) || fail("connect");
    }
    exchange.ask(request);
    return advance(at);
  }

  bool advance(std::size_t at) {
    while (true) {
      switch (exchanges_[at].advance()) {
        case Exchange::Step::waiting:
          return true;
        case Exchange::Step::answered:
          ++answered_;
          break;
        case Exchange::Step::ended:
          errno = 0;
          [[fallthrough]];
        case Exchange::Step::failed:
          return fail("a connection that was to stay");
      }
    }
  }

  bool take_events(int wait_ms) {
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
    if (count < 0) return errno == EINTR || fail("epoll");
    if (count == 0) {
      errno = ETIMEDOUT;
      return fail("answers");
    }
    for (int i = 0; i < count; ++i) {
      const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
      if (token == signal_token) {
        signalfd_siginfo taken{};
        is_signalled_ = ::read(signal_, &taken, sizeof taken) > 0 || is_signalled_;
      } else if (!advance(token)) {
        return false;
      }
    }
    return true;
  }

  sockaddr_in target_;
  int epoll_;
  int signal_;
  std::vector<Exchange> exchanges_;
  std::size_t next_ = 0, answered_ = 0;
  bool is_signalled_ = false;
};

void say(const char* what, std::size_t count) {
  std::printf("%s %zu\n", what, count);
  std::fflush(stdout);
}

}  // namespace

bool hold(const std::string& address, const std::string& port, const std::string& count,
          const std::string& bulk) {
  raise_file_limit();
  const auto target = parse_target(address, port);
  const auto connections = parse_count(count, most_connections);
  const auto bulk_bytes = parse_count(bulk, INT32_MAX);
  errno = EINVAL;
  if (!target || !connections || !bulk_bytes || *bulk_bytes < least_answer_bytes) {
    return fail("hold");
  }
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  const UniqueFd signal = open_signal();
  epoll_event event{.events = EPOLLIN, .data = {.u64 = signal_token}};
  if (!epoll || !signal || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, signal.get(), &event) != 0) {
    return fail("signalfd");
  }
  Crowd crowd{*target, epoll.get(), signal.get(), *connections};
  if (!crowd.ask_all({.then = Then::stay})) return false;
  say("held", *connections);
  if (!crowd.wait()) return false;
  if (!crowd.ask_all({static_cast<std::uint32_t>(*bulk_bytes), Then::stay})) return false;
  say("moved", *connections);
  if (!crowd.wait()) return false;
  crowd.reset();
  return true;
}

}  // namespace tw::bench
