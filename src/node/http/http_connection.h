// One client of an HttpServer: reads a request, writes its answer, and perhaps another. Whatever it
// waits for has a time by which it must be there, counted from the beginning: an octet now and then
// gains no time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/counter.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "relay/admission/principal.h"

namespace tw::node {

/// The ends of requests, and of connections that end without one.
enum class HttpOutcome : std::uint8_t {
  answered,
  not_found,     ///< another path, or another method
  malformed,     ///< no HTTP/1 request, or one with a body
  too_large,     ///< its head
  failed,        ///< there was no answer to be had
  slow_request,  ///< its head did not come in time
  slow_reader,   ///< its answer was not read in time
  displaced,     ///< somebody else needed the place
};
inline constexpr std::array<std::string_view, 8> http_outcome_names{
    "answered", "not_found",    "malformed",   "too_large",
    "failed",   "slow_request", "slow_reader", "displaced"};
inline constexpr std::size_t http_outcome_count = http_outcome_names.size();

/// Written by the server's thread, read by any.
using HttpCounters = std::array<Counter, http_outcome_count>;

/// An answer's text: many clients may read the same one. Null: there is none.
using HttpBody = std::shared_ptr<const std::string>;

class HttpConnection {
 public:
  static constexpr std::size_t head_max = 8192;
  static constexpr Duration head_time = 5s;     ///< for a whole head, from the first wait for it
  static constexpr Duration answer_time = 10s;  ///< for a client to take its answer
  static constexpr Duration idle_time = 65s;    ///< Prometheus asks every minute, as it comes
  static constexpr Duration ending_time = 1s;   ///< for a client to read why it is refused

  enum class State : std::uint8_t {
    reading,
    idle,  ///< between two requests: nobody misses it
    writing,
    ending,  ///< all is said; what still comes is thrown away
    closed,
  };
  using Source = std::function<HttpBody(Instant now)>;

  HttpConnection(UniqueFd fd, const relay::Principal& principal, HttpCounters& counters,
                 Instant now) noexcept
      : fd_(std::move(fd)), principal_(principal), counters_(&counters), since_(now) {}

  /// Goes on as far as it can without waiting, by one request at most. `source` answers /metrics.
  void handle(const Source& source, Instant now);
  /// Closes it if its time is over.
  void look_at_time(Instant now) noexcept;
  void displace() noexcept;

  int fd() const noexcept { return fd_.get(); }
  State state() const noexcept { return state_; }
  Instant since() const noexcept { return since_; }  ///< when its state began
  Instant deadline() const noexcept;
  const relay::Principal& principal() const noexcept { return principal_; }
  const HttpBody& body() const noexcept { return body_; }
  bool wants_to_write() const noexcept { return state_ == State::writing; }
  /// It has received more than the request before: there will be no event for that.
  bool has_more() const noexcept { return state_ == State::reading && scanned_ < received_.size(); }

 private:
  void enter(State state, Instant now) noexcept;
  void count(HttpOutcome outcome) noexcept;
  void read(Instant now);
  void read_away() noexcept;
  void take_request(const Source& source, Instant now);
  void answer(std::string_view head, const Source& source, Instant now);
  void refuse(HttpOutcome outcome, std::string_view status, Instant now);
  void reply(std::string_view status, HttpBody body, bool with_body, Instant now);
  void write(Instant now) noexcept;

  UniqueFd fd_;
  relay::Principal principal_;
  HttpCounters* counters_;
  State state_ = State::reading;
  Instant since_;
  std::string received_;     // head_max at most
  std::size_t scanned_ = 0;  // of it: without an end of a head
  std::string head_;         // of the answer
  HttpBody body_;
  std::size_t sent_ = 0;  // of head_ and *body_ together
  bool keep_alive_ = false;
  bool refused_ = false;  // counted already
};

}  // namespace tw::node
