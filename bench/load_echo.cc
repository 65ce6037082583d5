#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <thread>

#include "base/latency_histogram.h"
#include "base/random.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "exchange.h"
#include "limit.h"
#include "load.h"
#include "percentiles.h"

namespace tw::bench {
namespace {

constexpr Duration shortest_pause = 2500us;
constexpr std::uint64_t pauses_differ_by_ns = 5'000'000;
constexpr std::size_t warmup = 20;  // exchanges that do not count
constexpr timeval patience{2, 0};   // in seconds

std::string fail(const char* what) {
  std::perror(what);
  return "";
}

/// A connection whose other end echoes, or none with errno.
UniqueFd connect_to_echo(const sockaddr_in& target) {
  UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const int fd = socket.get(), on = 1;
  const auto request = to_bytes({.then = Then::echo});
  std::array<char, Request{}.answer_bytes> answer{};
  if (!socket || ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
      ::connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0 ||
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != ssize_t{request.size()} ||
      ::recv(fd, answer.data(), answer.size(), MSG_WAITALL) != ssize_t{answer.size()}) {
    return {};
  }
  return socket;
}

/// One byte there and back. False with errno if it does not come back, or another does.
bool exchange(int fd, char byte) {
  char came = 0;
  if (::send(fd, &byte, 1, MSG_NOSIGNAL) != 1) return false;
  errno = ECONNRESET;  // an end of file means that
  if (::recv(fd, &came, 1, 0) != 1) return false;
  errno = EPROTO;
  return came == byte;
}

}  // namespace

std::string echo_bytes(const std::string& address, const std::string& port,
                       const std::string& seconds) {
  const auto target = parse_target(address, port);
  const auto duration = parse_seconds(seconds);
  errno = EINVAL;
  if (!target || !duration) return fail("echo");
  const UniqueFd socket = connect_to_echo(*target);
  if (!socket) return fail("connect");
  SystemClock clock;
  SystemRandom random;
  LatencyHistogram took;
  const Instant end = clock.now() + *duration;
  for (std::size_t number = 0; clock.now() < end; ++number) {
    const std::uint64_t more = random.next() % pauses_differ_by_ns;
    std::this_thread::sleep_for(shortest_pause + Duration{static_cast<Duration::rep>(more)});
    const Instant begun = clock.now();
    if (!exchange(socket.get(), static_cast<char>(number))) return fail("a byte and its echo");
    if (number >= warmup) took.record(clock.now() - begun);
  }
  return fmt::format(R"({{"measured": {}, "exchange_us": {}}})", took.count(), percentiles(took));
}

}  // namespace tw::bench
