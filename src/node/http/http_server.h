// A small HTTP/1 server of one text, /metrics, for scrapers on this machine. It waits for nobody:
// one loop serves all connections, in turns. Places are shared out by address (IPv6: by /64): who
// has most of them makes way first, and of his connections the one that has stood longest. So a
// request that comes whole is answered, however many others do not.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/spare_fd.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "node/http/http_connection.h"
#include "wire/address.h"

namespace tw::node {

class HttpServer {
 public:
  static constexpr std::size_t places = 64;             ///< of all
  static constexpr std::size_t places_per_client = 16;  ///< of one address
  /// The most of all on the last descriptors of the process (is_in_reserve()): others need those,
  /// too.
  static constexpr std::size_t reserved_places = 2;
  /// Requests within this time read the same answer: making one costs the node's threads time.
  static constexpr Duration answer_age = 50ms;
  /// Answers that are kept for readers who are slow; of an older one the readers are hung up on.
  static constexpr std::size_t answers_kept = 4;

  /// Makes an answer; what it throws is a failure to the client.
  using Source = std::function<std::string()>;

  /// `counters` must outlive the server. Fails if the port is in use.
  static Result<std::unique_ptr<HttpServer>> listen(const Endpoint& at, Source source,
                                                    HttpCounters& counters);

  /// Readable when handle() has something to do.
  int wait_fd() const noexcept { return epoll_.get(); }
  /// When handle() has something to do at the latest.
  Instant next_deadline() const noexcept;
  /// One turn: all that can be done without waiting, bounded.
  void handle(Instant now);
  Endpoint local() const noexcept;

 private:
  HttpServer(Source source, HttpCounters& counters) noexcept
      : source_(std::move(source)), counters_(counters) {}
  Result<void> open(const Endpoint& at);
  bool watch(int fd, std::uint32_t events, int operation) const noexcept;
  void serve(HttpConnection& connection, Instant now);
  void accept(Instant now);
  void take(UniqueFd fd, const IpAddress& address, Instant now);
  void make_room(const relay::Principal& newcomer, std::size_t limit);
  void drop_closed();
  HttpBody body(Instant now);
  void forget_oldest_answer();

  Source source_;
  HttpCounters& counters_;
  UniqueFd listener_, epoll_;
  SpareFd spare_;
  Instant accepts_again_;  // max: it does
  std::vector<std::unique_ptr<HttpConnection>> connections_;
  HttpBody newest_;
  Instant newest_made_;
  std::vector<std::weak_ptr<const std::string>> answers_;  // oldest first
};

}  // namespace tw::node
