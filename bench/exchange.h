// The exchange between bench_load's two ends. The asking end sends a request of 1 KB that names
// the size of the answer and what comes after it: the end, a further request, or bytes that come
// back as they are. The answer begins with the address that the answering end saw, so that whoever
// reads it knows which way the connection came.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "base/unique_fd.h"

namespace tw::bench {

constexpr std::size_t request_bytes = 1024;
constexpr std::size_t least_answer_bytes = INET_ADDRSTRLEN + 1;

/// The answering end's next step after its answer.
enum class Then : std::uint8_t { close, stay, echo };

struct Request {
  std::uint32_t answer_bytes = 1024;  ///< at least least_answer_bytes
  Then then = Then::close;
};

std::array<char, request_bytes> to_bytes(const Request& request) noexcept;
/// Nothing if it is no request of ours.
std::optional<Request> parse_request(const std::array<char, request_bytes>& bytes) noexcept;

/// An IPv4 address and a port from the command line; nothing if they are none.
std::optional<sockaddr_in> parse_target(const std::string& address, const std::string& port);
/// A whole number from 1 to `most`; nothing for anything else.
std::optional<std::size_t> parse_count(const std::string& text, std::size_t most);
/// A time above zero, below a day; nothing for anything else.
std::optional<Duration> parse_seconds(const std::string& text);
/// As many open files as this process may have.
void raise_file_limit() noexcept;

/// The asking end of one connection; never blocks. Its socket is watched by the epoll that open()
/// is given, edge-triggered; every event of it means one advance().
class Exchange {
 public:
  enum class Step : std::uint8_t {
    waiting,
    answered,  ///< the whole answer is here, and the connection still is
    ended,     ///< the answering end has closed, after its whole answer
    failed,    ///< errno says why; 0: it was closed too early
  };

  /// Begins to connect; `token` comes back with events. False with errno if that fails at once.
  bool open(const sockaddr_in& target, int epoll, std::uint64_t token, const Request& request);
  /// A further request on a connection that stays. To be followed by advance().
  void ask(const Request& request);
  /// Sends and takes what can be. After `answered` it is called again: with `waiting` until the
  /// end, or for ever if the connection stays.
  Step advance();
  /// Gone at once, with a reset: it leaves nothing behind in the kernel.
  void reset() noexcept;
  void close() noexcept { socket_.reset(); }

  bool is_open() const noexcept { return bool{socket_}; }
  bool is_asked() const noexcept { return sent_ == request_bytes; }  ///< so it is connected
  /// The beginning of the answer: the address of whom the answering end sees.
  const std::string& seen_as() const noexcept { return seen_as_; }

 private:
  UniqueFd socket_;
  std::array<char, request_bytes> request_{};
  std::size_t sent_ = 0, left_ = 0;
  bool is_first_ = true;  // of the answer nothing has come yet
  std::string seen_as_;
};

}  // namespace tw::bench
