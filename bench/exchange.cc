#include "exchange.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace tw::bench {
namespace {

constexpr std::string_view magic = "twload01";
constexpr std::size_t then_at = magic.size() + sizeof(std::uint32_t);

std::vector<char>& landing_place() {
  static std::vector<char> place(256U << 10U);  // arriving bytes are counted, not kept
  return place;
}

}  // namespace

std::array<char, request_bytes> to_bytes(const Request& request) noexcept {
  std::array<char, request_bytes> bytes{};
  std::ranges::copy(magic, bytes.begin());
  const std::uint32_t size = htonl(request.answer_bytes);
  std::memcpy(bytes.data() + magic.size(), &size, sizeof size);
  bytes[then_at] = static_cast<char>(request.then);
  return bytes;
}

std::optional<Request> parse_request(const std::array<char, request_bytes>& bytes) noexcept {
  if (!std::equal(magic.begin(), magic.end(), bytes.begin())) return {};
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + magic.size(), sizeof size);
  const auto then = static_cast<unsigned char>(bytes[then_at]);
  const Request request{ntohl(size), static_cast<Then>(then)};
  if (request.answer_bytes < least_answer_bytes || then > std::to_underlying(Then::echo)) return {};
  return request;
}

std::optional<std::size_t> parse_count(const std::string& text, std::size_t most) {
  std::size_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || stopped != end || value == 0 || value > most) return {};
  return value;
}

std::optional<Duration> parse_seconds(const std::string& text) {
  constexpr double a_day = 86'400;
  char* stopped = nullptr;
  const double wanted = std::strtod(text.c_str(), &stopped);
  const bool is_a_time = wanted > 0 && wanted < a_day;  // NaN is none
  if (!is_a_time || *stopped != '\0') return {};
  return Duration{static_cast<Duration::rep>(wanted * 1e9)};
}

std::optional<sockaddr_in> parse_target(const std::string& address, const std::string& port) {
  sockaddr_in target{};
  target.sin_family = AF_INET;
  const auto number = parse_count(port, UINT16_MAX);
  if (!number || ::inet_pton(AF_INET, address.c_str(), &target.sin_addr) != 1) return {};
  target.sin_port = htons(static_cast<std::uint16_t>(*number));
  return target;
}

void raise_file_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

bool Exchange::open(const sockaddr_in& target, int epoll, std::uint64_t token,
                    const Request& request) {
  socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_) return false;
  ask(request);
  const int begun =
      ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target);
  if (begun != 0 && errno != EINPROGRESS) return false;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = token}};
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket_.get(), &event) == 0;
}

void Exchange::ask(const Request& request) {
  request_ = to_bytes(request);
  sent_ = 0;
  left_ = request.answer_bytes;
  is_first_ = true;
  seen_as_.clear();
}

Exchange::Step Exchange::advance() {
  while (sent_ < request_bytes) {
    // Until it is connected this says EAGAIN, and why if it cannot be.
    const ssize_t sent =
        ::send(socket_.get(), request_.data() + sent_, request_bytes - sent_, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? Step::waiting : Step::failed;
    sent_ += static_cast<std::size_t>(sent);
  }
  while (true) {
    std::vector<char>& place = landing_place();
    const ssize_t came = ::recv(socket_.get(), place.data(), place.size(), 0);
    if (came < 0) return errno == EAGAIN ? Step::waiting : Step::failed;
    if (came == 0) {
      errno = 0;
      return left_ == 0 ? Step::ended : Step::failed;
    }
    const auto size = static_cast<std::size_t>(came);
    if (size > left_) {
      errno = EPROTO;
      return Step::failed;
    }
    if (is_first_ && size >= least_answer_bytes) {
      const std::string_view begin{place.data(), least_answer_bytes};
      seen_as_ = begin.substr(0, begin.find('\n'));
    }
    is_first_ = false;
    left_ -= size;
    if (left_ == 0) return Step::answered;
  }
}

void Exchange::reset() noexcept {
  const linger at_once{1, 0};
  if (socket_) ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket_.reset();
}

}  // namespace tw::bench
