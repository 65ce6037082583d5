#include "relay/stream/direction.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "relay/sockets/sockets.h"

namespace tw::relay {
namespace {

// A splice that brings less was not worth its pipe.
constexpr std::size_t worth_a_pipe = 4096;

bool would_block(int code) noexcept { return code == EAGAIN || code == EWOULDBLOCK; }

}  // namespace

Flow Direction::pump(int source, int sink, PipePool& pipes, std::size_t quantum,
                     bool last) noexcept {
  if (ended_) return Flow::ended;
  if (first_may_wait_ && !source_ready_) return Flow::waiting;
  first_may_wait_ = false;
  const auto flow_of = [](Move move) {
    return move == Move::blocked ? Flow::waiting
                                 : (move == Move::no_pipe ? Flow::no_pipe : Flow::broken);
  };
  bool gather = false;
  for (std::size_t taken = 0;;) {
    Move move = send_first(source, sink);
    if (move == Move::done && retaining_) move = send_retained(source, sink);
    if (move == Move::done) move = empty_pipe(sink, pipes);
    if (move != Move::done) return flow_of(move);
    if (source_ended_) {
      if (!last && ::shutdown(sink, SHUT_WR) != 0) return flow_of(fail_sink(errno));
      ended_ = true;
      return Flow::ended;
    }
    if (taken >= quantum) return Flow::more;
    if (gather) return Flow::gather;
    const std::size_t before = taken;
    move = filled_ && !cautious_ ? fill_pipe(source, pipes, taken) : copy_some(source, sink, taken);
    if (move != Move::done) return flow_of(move);
    gather = should_gather(taken - before);
  }
}

// Each piece costs its system calls, whatever its size, and taking it makes the sender send the
// next small one. In a transfer nobody waits for a single piece.
bool Direction::should_gather(std::size_t piece) noexcept {
  run_ += piece;
  return is_transfer() && piece > 0 && piece < large_piece && !source_closing_ && !source_urgent_;
}

Flow Direction::push_prefix(int sink) noexcept {
  constexpr int no_source = -1;
  return send_first(no_source, sink) == Move::broken ? Flow::broken : Flow::waiting;
}

Direction::Move Direction::fail(int os_errno) noexcept {
  os_errno_ = os_errno;
  return Move::broken;
}

Direction::Move Direction::fail_sink(int os_errno) noexcept {
  sink_broke_ = true;
  return fail(os_errno);
}

Direction::Move Direction::send_first(int source, int sink) noexcept {
  std::size_t left_sent = 0;
  while (!first_.empty() || left_sent < left_.size()) {
    if (!sink_ready_) break;
    // Corked only if bytes are there to follow at once: header and data then share a segment.
    const bool apart = apart_ && !first_.empty();
    const bool more = !apart && source_ready_ && has_bytes(source);
    const ByteView bytes = first_.empty() ? ByteView{left_}.subspan(left_sent) : first_.view();
    const auto count =
        ::send(sink, bytes.data(), apart ? 1 : bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (count >= 0) {
      apart_ = false;
      const auto gone = static_cast<std::size_t>(count);
      if (first_.empty()) {
        left_sent += gone;
      } else {
        first_.drop(gone);
      }
    } else if (would_block(errno)) {
      sink_ready_ = false;
    } else if (errno != EINTR) {
      return fail_sink(errno);
    }
  }
  if (left_sent < left_.size()) {
    left_.erase(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(left_sent));
  } else if (!left_.empty()) {
    left_ = {};
  }
  return first_.empty() && left_.empty() ? Move::done : Move::blocked;
}

// Done when there is nothing to be retained any more: the rest goes by the pipe.
Direction::Move Direction::send_retained(int source, int sink) noexcept {
  std::array<std::uint8_t, most_retained> buffer;
  for (;;) {
    if (!source_ready_ || !sink_ready_) return Move::blocked;
    const auto peeked = ::recv(source, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
    if (peeked < 0 && errno == EINTR) continue;
    if (peeked < 0 && !would_block(errno)) return fail(errno);
    const std::size_t there = peeked > 0 ? static_cast<std::size_t>(peeked) : 0;
    if (there <= retained_) {
      const bool last = source_closing_ || source_urgent_ || peeked == 0;
      if (last) return confirm(source) ? Move::done : Move::broken;
      source_ready_ = false;
      return Move::blocked;
    }
    const auto sent = ::send(sink, buffer.data() + retained_, there - retained_, MSG_NOSIGNAL);
    if (sent < 0 && would_block(errno)) {
      sink_ready_ = false;
    } else if (sent < 0 && errno != EINTR) {
      return fail_sink(errno);
    } else if (sent > 0) {
      retained_ += static_cast<std::size_t>(sent);
      bytes_ += static_cast<std::uint64_t>(sent);
      // As in copy_some().
      if (there < buffer.size() && retained_ == there && !source_closing_ && !source_urgent_) {
        source_ready_ = false;
      }
      if (retained_ == buffer.size()) return confirm(source) ? Move::done : Move::broken;
    }
  }
}

bool Direction::confirm(int source) noexcept {
  retaining_ = false;
  while (retained_ > 0) {
    // TCP discards without copying (tcp(7)); an urgent byte may stop it short.
    const auto taken = ::recv(source, nullptr, retained_, MSG_TRUNC | MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) {
      os_errno_ = taken == 0 ? EPIPE : errno;
      return false;
    }
    retained_ -= static_cast<std::size_t>(taken);
  }
  return true;
}

// Copies all that is there, if it is little; else the first of it.
Direction::Move Direction::copy_some(int source, int sink, std::size_t& taken) noexcept {
  if (!source_ready_ || !sink_ready_) return Move::blocked;
  if (cautious_ && !is_writable(sink)) {
    sink_ready_ = false;
    return Move::blocked;
  }
  std::array<std::uint8_t, most_copied> buffer;
  const std::size_t most = cautious_ ? cautious_piece : buffer.size();
  const auto received = ::recv(source, buffer.data(), most, MSG_DONTWAIT);
  if (received < 0 && errno == EINTR) return Move::done;
  if (received < 0 && !would_block(errno)) return fail(errno);
  if (received < 0) source_ready_ = source_urgent_ = false;
  if (received == 0) source_ended_ = true;
  if (received <= 0) return received == 0 ? Move::done : Move::blocked;
  const auto size = static_cast<std::size_t>(received);
  filled_ = size == most;
  // A short read has emptied the socket, and what comes now rings again; but an end has rung
  // already, and before an urgent byte reads are short.
  if (!filled_ && !source_closing_ && !source_urgent_) source_ready_ = false;
  taken += size;
  bytes_ += size;
  // The end is here as well, and may share the last segment.
  const int flags = MSG_NOSIGNAL | (source_closing_ && !filled_ ? MSG_MORE : 0);
  const auto sent = ::send(sink, buffer.data(), size, flags);
  if (sent < 0 && !would_block(errno) && errno != EINTR) return fail_sink(errno);
  const auto gone = sent > 0 ? sent : 0;
  if (gone < received) left_.assign(buffer.begin() + gone, buffer.begin() + received);
  return Move::done;
}

Direction::Move Direction::empty_pipe(int sink, PipePool& pipes) noexcept {
  while (in_pipe_ > 0) {
    if (!sink_ready_) return Move::blocked;
    const auto count = ::splice(pipe_->exit.get(), nullptr, sink, nullptr, in_pipe_,
                                SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count > 0) {
      in_pipe_ -= static_cast<std::size_t>(count);
      bytes_ += static_cast<std::uint64_t>(count);
    } else if (count < 0 && would_block(errno)) {
      sink_ready_ = false;
    } else if (count == 0 || errno != EINTR) {
      return fail_sink(count == 0 ? EPIPE : errno);
    }
  }
  if (pipe_) {
    pipes.give_back(*std::move(pipe_));
    pipe_.reset();
  }
  return Move::done;
}

Direction::Move Direction::fill_pipe(int source, PipePool& pipes, std::size_t& taken) noexcept {
  if (!source_ready_) return Move::blocked;
  if (!pipe_) pipe_ = pipes.take();
  if (!pipe_) return Move::no_pipe;
  // The pipe is empty here, so that "would block" can only mean that the socket is.
  for (;;) {
    const auto count = ::splice(source, nullptr, pipe_->entry.get(), nullptr, pipe_->capacity,
                                SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && !would_block(errno)) return fail(errno);
    if (count > 0) in_pipe_ = static_cast<std::size_t>(count);
    if (count > 0) filled_ = in_pipe_ >= worth_a_pipe;
    // Once the end is in, splice says "end" at an urgent byte. Of one that came before the end we
    // have been told with it; else only recv knows.
    const bool surely_ended = source_closing_ && !source_urgent_;
    bool at_end = count == 0 && surely_ended;
    if ((count == 0 && !surely_ended) || (count < 0 && source_urgent_)) {
      if (const Move move = copy_to_pipe(source, at_end); move == Move::broken) return move;
    }
    if (in_pipe_ > 0) {
      taken += in_pipe_;
      return Move::done;
    }
    pipes.give_back(*std::exchange(pipe_, std::nullopt));
    if (!at_end) {
      source_ready_ = false;
      return Move::blocked;
    }
    source_ended_ = true;
    return Move::done;
  }
}

// splice stops before an urgent byte for good; recv, with SO_OOBINLINE, takes it in its place.
Direction::Move Direction::copy_to_pipe(int source, bool& at_end) noexcept {
  std::array<std::uint8_t, PIPE_BUF> buffer;
  const auto count = ::recv(source, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count <= 0) {
    source_urgent_ = false;
    at_end = count == 0;
    return count == 0 || would_block(errno) || errno == EINTR ? Move::blocked : fail(errno);
  }
  // One page into an empty pipe: it fits.
  const auto size = static_cast<std::size_t>(count);
  if (::write(pipe_->entry.get(), buffer.data(), size) != count) return fail(EIO);
  in_pipe_ = size;
  return Move::done;
}

}  // namespace tw::relay
