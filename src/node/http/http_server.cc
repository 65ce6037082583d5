#include "node/http/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "node/control/make_way.h"
#include "wire/sockaddr.h"

namespace tw::node {
namespace {

/// The kernel's queue holds the mute and bursts: a full one costs the next client a second.
constexpr int backlog = 4096;
constexpr int accepts_per_turn = 64;
/// The pause in accepting after not even a refusal was possible.
constexpr Duration accept_pause = 100ms;

using State = HttpConnection::State;

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const Endpoint& at, Source source,
                                                       HttpCounters& counters) {
  std::unique_ptr<HttpServer> server{new HttpServer{std::move(source), counters}};
  if (Result<void> opened = server->open(at); !opened) return std::unexpected(opened.error());
  return server;
}

Result<void> HttpServer::open(const Endpoint& at) {
  const SocketAddress address = to_sockaddr(at);
  listener_.reset(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!listener_ || !epoll_) return system_error("socket for " + at.text());
  const int on = 1;  // connections of a server before this one may still be in TIME_WAIT
  ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Whoever is accepted has said something, and who has said all is answered in the same turn:
  // there is no moment at which others can displace him. The mute wait in the kernel, and not here.
  const int patience_s =
      std::chrono::duration_cast<std::chrono::duration<int>>(HttpConnection::head_time).count();
  ::setsockopt(listener_.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &patience_s, sizeof patience_s);
  if (::bind(listener_.get(), address.get(), address.length) != 0 ||
      ::listen(listener_.get(), backlog) != 0) {
    return system_error("listen on " + at.text());
  }
  if (!watch(listener_.get(), EPOLLIN, EPOLL_CTL_ADD)) return system_error("watch " + at.text());
  accepts_again_ = Instant::max();
  spare_.keep();
  connections_.reserve(places);
  return {};
}

Endpoint HttpServer::local() const noexcept {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address.storage),
                    &address.length) != 0) {
    return {};
  }
  return from_sockaddr(address.get(), address.length).value_or(Endpoint{});
}

bool HttpServer::watch(int fd, std::uint32_t events, int operation) const noexcept {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

Instant HttpServer::next_deadline() const noexcept {
  Instant next = accepts_again_;
  if (newest_) next = std::min(next, newest_made_ + answer_age);
  for (const auto& connection : connections_) {
    next = std::min(next, connection->has_more() ? Instant{} : connection->deadline());
  }
  return next;
}

void HttpServer::handle(Instant now) {
  std::array<epoll_event, places + 1> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  const auto is_ready = [&](int fd) {
    return std::any_of(events.begin(), events.begin() + std::max(count, 0),
                       [fd](const epoll_event& event) { return event.data.fd == fd; });
  };
  for (const auto& connection : connections_) {
    if (connection->has_more() || is_ready(connection->fd())) serve(*connection, now);
    connection->look_at_time(now);
  }
  if (newest_ && now - newest_made_ >= answer_age) newest_.reset();
  drop_closed();
  // Last, so that a descriptor that was closed in this turn is not taken for its successor.
  accept(now);
}

void HttpServer::serve(HttpConnection& connection, Instant now) {
  const bool wrote = connection.wants_to_write();
  connection.handle([this](Instant at) { return body(at); }, now);
  if (connection.wants_to_write() == wrote) return;
  const std::uint32_t events = connection.wants_to_write() ? EPOLLOUT : EPOLLIN;
  if (!watch(connection.fd(), events, EPOLL_CTL_MOD)) connection.displace();
}

// ---- Places

void HttpServer::accept(Instant now) {
  if (now < accepts_again_ && accepts_again_ != Instant::max()) return;
  if (std::exchange(accepts_again_, Instant::max()) != Instant::max()) {
    watch(listener_.get(), EPOLLIN, EPOLL_CTL_MOD);
  }
  for (int taken = 0; taken < accepts_per_turn; ++taken) {
    SocketAddress from;
    from.length = sizeof from.storage;
    UniqueFd fd;
    // For this port, too, the reserve is there: one finds out by it what has used the rest.
    const auto accepted = spare_.accept(listener_.get(), fd, /*leave_reserve=*/false,
                                        reinterpret_cast<sockaddr*>(&from.storage), &from.length);
    if (accepted == SpareFd::Accepted::empty) return;
    if (accepted == SpareFd::Accepted::exhausted) {
      accepts_again_ = now + accept_pause;
      watch(listener_.get(), 0, EPOLL_CTL_MOD);
      return;
    }
    if (accepted == SpareFd::Accepted::refused) continue;
    const auto endpoint = from_sockaddr(from.get(), from.length);
    if (endpoint) take(std::move(fd), endpoint->address, now);
  }
}

void HttpServer::take(UniqueFd fd, const IpAddress& address, Instant now) {
  const relay::Principal principal{address};
  make_room(principal, is_in_reserve(fd.get()) ? reserved_places : places);
  if (!watch(fd.get(), EPOLLIN, EPOLL_CTL_ADD)) return;
  connections_.push_back(
      std::make_unique<HttpConnection>(std::move(fd), principal, counters_, now));
  serve(*connections_.back(), now);
}

// A connection that waits between two requests goes first, then the one that stands longest.
void HttpServer::make_room(const relay::Principal& newcomer, std::size_t limit) {
  drop_closed();
  for (;;) {
    const auto held_by = [this](const relay::Principal& principal) {
      return std::ranges::count(connections_, principal, &HttpConnection::principal);
    };
    const bool has_its_share = held_by(newcomer) >= static_cast<std::ptrdiff_t>(places_per_client);
    if (connections_.size() < limit && !has_its_share) return;
    const auto owner = [](const auto& connection) { return connection->principal(); };
    // Nobody has more than the share: who has it is among the owners that come first.
    const auto rank = [&](const auto& connection) {
      const bool spared = has_its_share && connection->principal() != newcomer;
      return std::tuple{spared, connection->state() != State::idle, connection->since()};
    };
    (*who_makes_way(connections_, owner, rank))->displace();
    drop_closed();
  }
}

void HttpServer::drop_closed() {
  std::erase_if(connections_,
                [](const auto& connection) { return connection->state() == State::closed; });
}

// ---- Answers

HttpBody HttpServer::body(Instant now) {
  if (newest_ && now - newest_made_ < answer_age) return newest_;
  forget_oldest_answer();
  try {
    newest_ = std::make_shared<const std::string>(source_());
  } catch (const std::exception& error) {
    log::error("metrics: {}", error.what());
    newest_.reset();
    return {};
  }
  newest_made_ = now;
  answers_.push_back(newest_);
  return newest_;
}

// An answer lives as long as it is read: what slow readers hold together stays bounded.
void HttpServer::forget_oldest_answer() {
  newest_.reset();
  std::erase_if(answers_, [](const auto& answer) { return answer.expired(); });
  if (answers_.size() < answers_kept) return;
  const HttpBody oldest = answers_.front().lock();
  for (const auto& connection : connections_) {
    if (connection->body() == oldest) connection->displace();
  }
  answers_.erase(answers_.begin());
}

}  // namespace tw::node
