#include "node/http/http_connection.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "node/http/request_head.h"

namespace tw::node {
namespace {

bool is_only_waiting(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

void HttpConnection::enter(State state, Instant now) noexcept {
  state_ = state;
  since_ = now;
}

void HttpConnection::count(HttpOutcome outcome) noexcept {
  (*counters_)[std::to_underlying(outcome)].add();
}

Instant HttpConnection::deadline() const noexcept {
  switch (state_) {
    case State::reading:
      return since_ + head_time;
    case State::idle:
      return since_ + idle_time;
    case State::writing:
      return since_ + answer_time;
    case State::ending:
      return since_ + ending_time;
    case State::closed:
      break;
  }
  return since_;
}

void HttpConnection::look_at_time(Instant now) noexcept {
  if (state_ == State::closed || now < deadline()) return;
  if (state_ == State::reading) count(HttpOutcome::slow_request);
  if (state_ == State::writing) count(HttpOutcome::slow_reader);
  enter(State::closed, now);
}

void HttpConnection::displace() noexcept {
  if (state_ == State::reading || state_ == State::writing) count(HttpOutcome::displaced);
  state_ = State::closed;
}

void HttpConnection::handle(const Source& source, Instant now) {
  if (state_ == State::ending) read_away();
  if (state_ == State::writing) {
    write(now);
    return;  // the next request has its turn after everybody else's
  }
  // An end that has come behind requests is not to be seen before they are answered.
  if ((state_ == State::reading || state_ == State::idle) && !has_more()) read(now);
  if (state_ == State::reading) take_request(source, now);
}

void HttpConnection::read(Instant now) {
  const std::size_t had = received_.size();
  if (had >= head_max) return;
  std::array<char, head_max> octets;
  const ssize_t got = ::recv(fd_.get(), octets.data(), head_max - had, 0);
  if (got == 0 || (got < 0 && !is_only_waiting(errno))) enter(State::closed, now);
  if (got <= 0) return;
  received_.append(octets.data(), static_cast<std::size_t>(got));
  if (state_ == State::idle) enter(State::reading, now);
}

// Closed at once, with octets that nobody has read, the socket would send a reset, which takes the
// refusal away from its reader.
void HttpConnection::read_away() noexcept {
  constexpr int most = 16;
  std::array<char, 4096> octets;
  for (int i = 0; i < most; ++i) {
    const ssize_t got = ::recv(fd_.get(), octets.data(), octets.size(), 0);
    if (got < 0 && is_only_waiting(errno)) return;
    if (got <= 0) break;
  }
  state_ = State::closed;
}

void HttpConnection::take_request(const Source& source, Instant now) {
  // Empty lines before a request are passed over (RFC 9112, section 2.2).
  if (scanned_ == 0) received_.erase(0, received_.find_first_not_of("\r\n"));
  const std::size_t size = find_head_end(received_, scanned_);
  if (size == 0) {
    scanned_ = received_.size();
    if (scanned_ >= head_max) {
      refuse(HttpOutcome::too_large, "431 Request Header Fields Too Large", now);
    }
    return;
  }
  const std::string head = received_.substr(0, size);
  received_.erase(0, size);
  scanned_ = 0;
  answer(head, source, now);
}

void HttpConnection::answer(std::string_view head, const Source& source, Instant now) {
  const RequestHead request = read_request_head(head);
  if (request.verdict != RequestHead::Verdict::good) {
    refuse(HttpOutcome::malformed, "400 Bad Request", now);
    return;
  }
  const bool is_head = request.method == "HEAD";
  if (!is_head && request.method != "GET") {
    refuse(HttpOutcome::not_found, "405 Method Not Allowed\r\nAllow: GET, HEAD", now);
    return;
  }
  if (request.target != "/metrics") {
    refuse(HttpOutcome::not_found, "404 Not Found", now);
    return;
  }
  HttpBody body = source(now);
  if (!body) {
    refuse(HttpOutcome::failed, "500 Internal Server Error", now);
    return;
  }
  keep_alive_ = request.keep_alive;
  refused_ = false;
  reply("200 OK", std::move(body), !is_head, now);
}

void HttpConnection::refuse(HttpOutcome outcome, std::string_view status, Instant now) {
  count(outcome);
  keep_alive_ = false;
  refused_ = true;
  const auto text = fmt::format("{}\n", status.substr(0, status.find('\r')));
  reply(status, std::make_shared<const std::string>(text), true, now);
}

void HttpConnection::reply(std::string_view status, HttpBody body, bool with_body, Instant now) {
  head_ = fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      "Content-Length: {}\r\nConnection: {}\r\n\r\n",
      status, body->size(), keep_alive_ ? "keep-alive" : "close");
  if (with_body) body_ = std::move(body);
  sent_ = 0;
  enter(State::writing, now);
  write(now);
}

void HttpConnection::write(Instant now) noexcept {
  const std::string_view head = head_;
  const std::string_view body = body_ ? std::string_view{*body_} : std::string_view{};
  const std::size_t size = head.size() + body.size();
  while (sent_ < size) {
    const std::string_view first = head.substr(std::min(sent_, head.size()));
    const std::string_view second = body.substr(sent_ - std::min(sent_, head.size()));
    std::array<iovec, 2> parts{{{const_cast<char*>(first.data()), first.size()},
                                {const_cast<char*>(second.data()), second.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && is_only_waiting(errno)) return;
    if (sent < 0) {
      enter(State::closed, now);
      return;
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  body_.reset();
  if (!refused_) count(HttpOutcome::answered);
  if (keep_alive_) {
    enter(received_.empty() ? State::idle : State::reading, now);
    return;
  }
  ::shutdown(fd_.get(), SHUT_WR);
  enter(State::ending, now);
}

}  // namespace tw::node
